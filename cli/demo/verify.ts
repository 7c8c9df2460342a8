/**
 * The independent check, in a worker thread: icebird, an Iceberg reader in JavaScript that none of us wrote, reads the table
 * from its folder: every row as it is now, the files of each month, and the rows of the oldest snapshot once more. It speaks
 * HTTP only, so in this thread `fetch` answers file URLs from the disk.
 */
import { pathToFileURL } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'
import { icebergManifests, icebergMetadata, icebergRead } from 'icebird'
import { fetchFile } from './file-fetch.ts'
import { emptySums, type Flight, type Sums, take } from './sums.ts'

export interface VerifyInput {
  /** The table's folder in the lake. */
  readonly folder: string
}

export interface LakeFacts {
  /** Oldest first. */
  readonly snapshots: readonly SnapshotFacts[]
  readonly months: readonly MonthFacts[]
  /** Rows that were read at the oldest snapshot. */
  readonly oldestRows: number
  /** The columns that it had, without Sluice's own. */
  readonly oldestColumns: number
  readonly columns: number
}

export interface SnapshotFacts {
  readonly sequence: number
  readonly committedAt: number
  readonly addedFiles: number
  readonly addedRows: number
  readonly rows: number
}

export interface MonthFacts {
  readonly month: string
  readonly files: number
  readonly bytes: number
  readonly rows: number
}

export type VerifyMessage =
  | { readonly kind: 'read'; readonly rows: number; readonly total: number }
  | { readonly kind: 'done'; readonly lake: LakeFacts; readonly sums: Sums }
  | { readonly kind: 'failed'; readonly message: string }

type Metadata = Awaited<ReturnType<typeof icebergMetadata>>
type Snapshot = NonNullable<Metadata['snapshots']>[number]

/** Rows in memory at a time. */
const chunkRows = 250_000

async function run({ folder }: VerifyInput): Promise<void> {
  globalThis.fetch = fetchFile as typeof fetch
  const tableUrl = pathToFileURL(folder).href
  const metadata = await icebergMetadata({ tableUrl })
  const snapshots = (metadata.snapshots ?? []).toSorted((a, b) => a['sequence-number'] - b['sequence-number'])
  const current = snapshots.find((snapshot) => snapshot['snapshot-id'] === metadata['current-snapshot-id'])
  const [oldest] = snapshots
  if (oldest === undefined || current === undefined) throw new Error('the lake has no snapshot')
  const total = rowsOf(current) + rowsOf(oldest)
  const sums = emptySums()
  let read = 0
  const show = (rows: number): void => {
    read += rows
    post({ kind: 'read', rows: read, total })
  }
  for await (const rows of rowsAt({ tableUrl, metadata, snapshot: current })) {
    for (const row of rows) take(sums, flightOf(row))
    show(rows.length)
  }
  let oldestRows = 0
  for await (const rows of rowsAt({ tableUrl, metadata, snapshot: oldest })) {
    oldestRows += rows.length
    show(rows.length)
  }
  const lake = {
    snapshots: snapshots.map(snapshotFacts),
    months: await monthFacts(metadata),
    oldestRows,
    oldestColumns: columnsOf(metadata, oldest),
    columns: columnsOf(metadata, current),
  }
  post({ kind: 'done', lake, sums })
}

async function* rowsAt({
  tableUrl,
  metadata,
  snapshot,
}: {
  readonly tableUrl: string
  readonly metadata: Metadata
  readonly snapshot: Snapshot
}): AsyncGenerator<readonly Record<string, unknown>[]> {
  const schema = snapshot['schema-id'] ?? metadata['current-schema-id']
  const then = { ...metadata, 'current-snapshot-id': snapshot['snapshot-id'], 'current-schema-id': schema }
  const total = rowsOf(snapshot)
  for (let rowStart = 0; rowStart < total; ) {
    const rows = await icebergRead({ tableUrl, metadata: then, rowStart, rowEnd: Math.min(total, rowStart + chunkRows) })
    if (rows.length === 0) return
    yield rows
    rowStart += rows.length
  }
}

async function monthFacts(metadata: Metadata): Promise<readonly MonthFacts[]> {
  const months = new Map<string, { files: number; bytes: number; rows: number }>()
  for (const { entries } of await icebergManifests(metadata)) {
    for (const { status, data_file: file } of entries) {
      if (status === 2) continue
      const month = String((file.partition as Readonly<Record<string, unknown>>).month)
      const { files, bytes, rows } = months.get(month) ?? { files: 0, bytes: 0, rows: 0 }
      months.set(month, {
        files: files + 1,
        bytes: bytes + Number(file.file_size_in_bytes),
        rows: rows + Number(file.record_count),
      })
    }
  }
  return [...months].map(([month, facts]) => ({ month, ...facts })).sort((a, b) => a.month.localeCompare(b.month))
}

function snapshotFacts(snapshot: Snapshot): SnapshotFacts {
  return {
    sequence: snapshot['sequence-number'],
    committedAt: snapshot['timestamp-ms'],
    addedFiles: Number(snapshot.summary['added-data-files'] ?? 0),
    addedRows: Number(snapshot.summary['added-records'] ?? 0),
    rows: rowsOf(snapshot),
  }
}

function columnsOf(metadata: Metadata, snapshot: Snapshot): number {
  const schema = metadata.schemas.find((each) => each['schema-id'] === snapshot['schema-id'])
  return (schema?.fields ?? []).filter(({ name }) => !name.startsWith('__')).length
}

const rowsOf = (snapshot: Snapshot): number => Number(snapshot.summary['total-records'])

const flightOf = ({ month, origin, delay, distance, hour }: Record<string, unknown>): Flight => ({
  month: String(month),
  origin: String(origin),
  delay: Number(delay),
  distance: Number(distance),
  hour: hour === null || hour === undefined ? null : Number(hour),
})

const post = (message: VerifyMessage): void => parentPort?.postMessage(message)

run(workerData as VerifyInput).catch((error: unknown) =>
  post({ kind: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
)
