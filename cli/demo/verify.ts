/**
 * The independent check, in a worker thread: icebird, an Iceberg reader in JavaScript that none of us wrote, reads the table
 * from its folder. It speaks HTTP only, so in this thread `fetch` answers file URLs from the disk.
 */
import { pathToFileURL } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'
import { icebergMetadata, icebergRead } from 'icebird'
import { fetchFile } from './file-fetch.ts'
import { add, type OriginSums } from './flights.ts'

export interface VerifyInput {
  /** The table's folder in the lake. */
  readonly folder: string
}

export type VerifyMessage =
  | { readonly kind: 'read'; readonly rows: number; readonly total: number }
  | { readonly kind: 'done'; readonly rows: number; readonly snapshots: number; readonly sums: Map<string, OriginSums> }
  | { readonly kind: 'failed'; readonly message: string }

/** Rows in memory at a time. */
const chunkRows = 250_000

async function run({ folder }: VerifyInput): Promise<void> {
  globalThis.fetch = fetchFile as typeof fetch
  const tableUrl = pathToFileURL(folder).href
  const metadata = await icebergMetadata({ tableUrl })
  const current = metadata.snapshots?.find((snapshot) => snapshot['snapshot-id'] === metadata['current-snapshot-id'])
  const total = Number((current?.summary as Record<string, unknown> | undefined)?.['total-records'] ?? 0)
  const sums = new Map<string, OriginSums>()
  let rows = 0
  while (rows < total) {
    const chunk = await icebergRead({ tableUrl, metadata, rowStart: rows, rowEnd: Math.min(total, rows + chunkRows) })
    if (chunk.length === 0) break
    for (const row of chunk) add(sums, row.origin, Number(row.delay), Number(row.distance))
    rows += chunk.length
    post({ kind: 'read', rows, total })
  }
  post({ kind: 'done', rows, snapshots: metadata.snapshots?.length ?? 0, sums })
}

const post = (message: VerifyMessage): void => parentPort?.postMessage(message)

run(workerData as VerifyInput).catch((error: unknown) =>
  post({ kind: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
)
