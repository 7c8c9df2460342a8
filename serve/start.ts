/** `startServer`: the stores that the configuration names, a server over them, and a thread for its jobs. */
import type { ServeConfig } from './config.ts'
import { JobsThread } from './jobs/thread.ts'
import { openServed, worldOptions } from './open.ts'
import { type Running, type ServeOptions, serveOver } from './server.ts'

export async function startServer(config: ServeConfig, more: Partial<ServeOptions> = {}): Promise<Running> {
  const stores = await openServed(config, { probe: true })
  try {
    return await serveOver(stores, {
      port: config.port,
      ...worldOptions(config),
      jobs: (world) => new JobsThread(world, config),
      ...more,
    })
  } catch (error) {
    await stores.close()
    throw error
  }
}
