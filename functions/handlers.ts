/** All calls, for a process that answers every one of them. Each Lambda takes its own part instead. */
import { adminHandlers } from './admin/handlers.ts'
import type { Handlers } from './call.ts'
import { icebergHandlers } from './iceberg/handlers.ts'
import { ingestHandlers } from './ingest/handlers.ts'
import { readHandlers } from './read/handlers.ts'

export const allHandlers: Handlers = { ...adminHandlers, ...readHandlers, ...ingestHandlers, ...icebergHandlers }
