/**
 * `sluice serve`: opens the stores, listens, drains on the first signal and exits 0; a second signal exits at once.
 * A crash at any point loses no acked row: what is acked is in the stores.
 */

import { isSluiceError } from '../core/kernel/errors.ts'
import { curlLines } from '../functions/admin/home.ts'
import { type ServeFlags, serveConfig, UsageError } from '../serve/config.ts'
import type { Running } from '../serve/server.ts'
import { startServer } from '../serve/start.ts'
import { Failure } from './failure.ts'

/** Signals of one Ctrl-C come twice, from the terminal and from the launcher. */
const secondSignalMs = 500

export async function serve(flags: ServeFlags): Promise<void> {
  const running = await start(flags)
  process.stdout.write(`listening on ${running.url}\n`)
  for (const line of curlLines(running.url)) process.stdout.write(`${line}\n`)
  await stopSignal()
  const clean = await running.stop()
  process.exit(clean ? 0 : 1)
}

async function start(flags: ServeFlags): Promise<Running> {
  try {
    return await startServer(serveConfig(flags, process.env))
  } catch (error) {
    throw failureOf(error)
  }
}

function failureOf(error: unknown): Failure {
  if (error instanceof UsageError) return new Failure(error.message, 2)
  const { code, message, port } = error as NodeJS.ErrnoException & { port?: number }
  if (code === 'EADDRINUSE') return new Failure(`port ${port} is in use: stop the other server, or choose another with --port`)
  if (code === 'EACCES' && port !== undefined)
    return new Failure(`port ${port} needs rights that this user lacks: choose one above 1023 with --port`)
  if (isSluiceError(error) || code !== undefined) return new Failure(`cannot start: ${message}`)
  throw error
}

/** Resolves at the first signal, or when the launcher that started us is gone. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let first: number | undefined
    const stop = () => {
      if (first !== undefined && Date.now() - first > secondSignalMs) process.exit(1)
      first ??= Date.now()
      resolve()
    }
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, stop)
    const launcher = Number(process.env.SLUICE_LAUNCHER_PID)
    if (launcher > 0) setInterval(() => process.ppid !== launcher && stop(), 1_000).unref()
  })
}
