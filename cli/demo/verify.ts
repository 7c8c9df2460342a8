/**
 * The independent check, in a worker thread: icebird, an Iceberg reader in JavaScript that none of us wrote, reads the table
 * from its folder. It speaks HTTP only, so in this thread `fetch` answers file URLs from the disk.
 */
import { open, stat } from 'node:fs/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'
import { icebergMetadata, icebergRead } from 'icebird'
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

async function fetchFile(input: string | URL, init: RequestInit = {}): Promise<Response> {
  const path = fileURLToPath(String(input))
  const size = await stat(path)
    .then((found) => found.size)
    .catch(() => undefined)
  if (size === undefined) return new Response(null, { status: 404 })
  const headers = { 'content-length': String(size), 'accept-ranges': 'bytes' }
  if (init.method === 'HEAD') return new Response(null, { status: 200, headers })
  const range = /^bytes=(\d+)-(\d*)$/.exec(new Headers(init.headers).get('range') ?? '')
  const start = range === null ? 0 : Number(range[1])
  const end = range === null || range[2] === '' ? size : Math.min(size, Number(range[2]) + 1)
  const bytes = new Uint8Array(end - start)
  const file = await open(path)
  try {
    await file.read(bytes, 0, bytes.length, start)
  } finally {
    await file.close()
  }
  return new Response(bytes, { status: range === null ? 200 : 206, headers: { 'content-length': String(bytes.length) } })
}

const post = (message: VerifyMessage): void => parentPort?.postMessage(message)

run(workerData as VerifyInput).catch((error: unknown) =>
  post({ kind: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
)
