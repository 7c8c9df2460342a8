/**
 * The log of a table with a primary key as what it is, in order within a bucket: records that take a row back or bring one, or whole
 * changes with the row before and the row after.
 */
import type { changeKinds } from '../../core/model/changelog.ts'
import type { Row } from '../values.ts'
import type { FetchOptions, Reader, RowBatch } from './log.ts'

export type ChangeKind = (typeof changeKinds)[number]

export interface ChangePlace {
  readonly partition: string
  readonly bucket: number
  /** Of the record, or of the last one of a whole change. */
  readonly offset: bigint
  /** When it was committed, as text. */
  readonly timestamp: string
}

export interface Change extends ChangePlace {
  /** `+I` came, `-U` was and `+U` became, `-D` went; `+A` in a table without a primary key. */
  readonly kind: ChangeKind
  /** The columns of the table, or those that were asked for. */
  readonly row: Row
}

export interface WholeChange extends ChangePlace {
  readonly kind: '+I' | '+U' | '-D'
  /** Null before it came; also before an update of a table with `changelog.image` wal. */
  readonly before: Row | null
  /** Null after it went. */
  readonly after: Row | null
}

export interface ChangeBatch<C = Change> {
  readonly changes: readonly C[]
  /** Behind its last change. */
  readonly cursor: string
}

/** `live`: over server-sent events, and from `latest` if nothing else is said. */
export type ChangelogOptions = FetchOptions & { readonly live?: boolean }

export async function* changesOf(batches: AsyncIterable<RowBatch>, place: Place): AsyncGenerator<ChangeBatch> {
  for await (const { rows, cursor } of batches) yield { changes: rows.map((row) => changeOf(row, place)), cursor }
}

export async function* wholeChangesOf(batches: AsyncIterable<RowBatch>, place: Place): AsyncGenerator<ChangeBatch<WholeChange>> {
  for await (const { rows, cursor } of batches) {
    const changes = rows.map((row) => ({
      ...placeOf(row, place),
      kind: row['__op'] as WholeChange['kind'],
      before: row['before'] as Row | null,
      after: row['after'] as Row | null,
    }))
    yield { changes, cursor }
  }
}

/** Reads the rows that lie in changes. */
export function wholeChangeReader(reader: Reader): Reader {
  return {
    read: async (changes) => {
      const inner = changes.flatMap(({ before, after }) => [before, after].filter((row) => row !== null) as Row[])
      const rows = (await reader.read(inner)).values()
      const read = (row: unknown): Row | null => (row === null ? null : (rows.next().value ?? null))
      const places = await reader.read(changes.map(({ before: _, after: __, ...place }) => place))
      return changes.map(({ before, after }, i) => ({ ...places[i], before: read(before), after: read(after) }))
    },
  }
}

type Place = Pick<FetchOptions, 'bucket' | 'partition'>

function changeOf(row: Row, place: Place): Change {
  const { __op = '+A' } = row
  const own = Object.fromEntries(Object.entries(row).filter(([name]) => !name.startsWith('__')))
  return { ...placeOf(row, place), kind: __op as ChangeKind, row: own }
}

/** Answers of one bucket do not repeat which it is. */
function placeOf(row: Row, { bucket, partition = '' }: Place): ChangePlace {
  const { __partition = partition, __bucket = Number(bucket), __offset, __timestamp } = row
  return {
    partition: __partition as string,
    bucket: __bucket as number,
    offset: __offset as bigint,
    timestamp: __timestamp as string,
  }
}
