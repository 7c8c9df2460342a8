/**
 * The writers, in a worker thread of their own: a lane for each bucket, a producer whose sequences count the groups of flights. One
 * request of a lane is under way at a time, so the flights of a route stay in order.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { newProgress, readProgress, writeProgress } from '../progress.ts'
import { sendArrow } from '../server-calls.ts'
import type { Routes } from './routes.ts'
import { buckets, loadSource } from './source.ts'

export interface LanesInput {
  readonly url: string
  readonly path: string
  readonly progressFile: string
  readonly rows: number
}

export type LanesMessage =
  | { readonly kind: 'loaded'; readonly rows: number; readonly sent: number; readonly routes: Routes }
  | { readonly kind: 'acked'; readonly rows: number }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly message: string }

async function run({ url, path, progressFile, rows: rowsMax }: LanesInput): Promise<void> {
  const source = loadSource(rowsMax)
  const progress = { ...(readProgress(progressFile) ?? newProgress(buckets)), total: source.rows }
  post({ kind: 'loaded', rows: source.rows, sent: progress.rows, routes: source.routes() })
  const lane = async (bucket: number): Promise<void> => {
    for (let group = progress.next[bucket] ?? 0; group < source.groups; group++) {
      const { bytes, rows } = source.body(group, bucket) ?? { bytes: undefined, rows: 0 }
      if (bytes !== undefined) await sendArrow(url, path, { producer: `routes-${bucket}`, sequence: group, bytes })
      progress.next[bucket] = group + 1
      progress.rows += rows
      writeProgress(progressFile, progress)
      post({ kind: 'acked', rows })
    }
  }
  await Promise.all(Array.from({ length: buckets }, (_, bucket) => lane(bucket)))
  post({ kind: 'done' })
}

const post = (message: LanesMessage): void => parentPort?.postMessage(message)

run(workerData as LanesInput).catch((error: unknown) =>
  post({ kind: 'failed', message: error instanceof Error ? error.message : String(error) }),
)
