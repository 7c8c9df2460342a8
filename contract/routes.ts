/** The calls of version 1 that this build has. */
import { icebergRoutes } from './iceberg.ts'
import type { Route } from './route.ts'
import { catalogRoutes } from './routes/catalog.ts'
import { rowsRoutes } from './routes/rows.ts'
import { serverRoutes } from './routes/server.ts'

export const routes = {
  ...icebergRoutes,
  ...serverRoutes,
  ...catalogRoutes,
  ...rowsRoutes,
} as const satisfies Record<string, Route>

export type Routes = typeof routes
export type RouteId = keyof Routes
