/** What both demos are run with: a server of their own on one folder, workers that report, lines of progress. */
import type { Worker } from 'node:worker_threads'
import { isSluiceError } from '../../core/kernel/errors.ts'
import { serveConfig } from '../../serve/config.ts'
import type { Running } from '../../serve/server.ts'
import { startServer } from '../../serve/start.ts'
import { Failure } from '../failure.ts'
import { call } from './server-calls.ts'

/** With the database of the demos. */
export async function startDemoServer(directory: string): Promise<Running> {
  const server = await startServer(serveConfig({ port: '0', data: directory }, {})).catch((error: unknown) => {
    throw isSluiceError(error) ? new Failure(`cannot start: ${error.message}`) : error
  })
  await call(server.url, 'PUT', '/v1/databases/demo')
  return server
}

/** Whoever kills the launcher means the demo: it is safe at any point, and two at once would share the lanes. */
export function endWithLauncher(): void {
  const launcher = Number(process.env.SLUICE_LAUNCHER_PID)
  if (launcher > 0) setInterval(() => process.ppid !== launcher && process.exit(1), 500).unref()
}

/** Resolves when `take` says that this was the last message. */
export function listen<M>(worker: Worker, take: (message: M) => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.on('error', reject)
    worker.on('exit', () => reject(new Failure('the worker ended too early')))
    worker.on('message', (message: M) => {
      try {
        if (take(message)) resolve()
      } catch (error) {
        reject(error)
      }
    })
  })
}

/** A terminal is redrawn; a log gets a line every two seconds. */
export function writer(task: { output: string }, terminal: boolean): (line: string) => void {
  let last = 0
  return (line) => {
    const now = Date.now()
    if (!terminal && now - last < 2_000) return
    last = now
    task.output = line
  }
}

export const rate = (rows: number, since: number): number => Math.round((rows / Math.max(1, Date.now() - since)) * 1000)
