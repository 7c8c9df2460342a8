/** The log of a table with a primary key as what it is: changes of rows, in order within a bucket. */
import type { changeKinds } from '../../core/model/changelog.ts'
import type { Row } from '../values.ts'
import type { FetchOptions, RowBatch } from './log.ts'

export type ChangeKind = (typeof changeKinds)[number]

export interface Change {
  /** `+I` came, `-U` was and `+U` became, `-D` went; `+A` in a table without a primary key. */
  readonly kind: ChangeKind
  /** The columns of the table, or those that were asked for. */
  readonly row: Row
  readonly partition: string
  readonly bucket: number
  readonly offset: bigint
  /** When it was committed, as text. */
  readonly timestamp: string
}

export interface ChangeBatch {
  readonly changes: readonly Change[]
  /** Behind its last change. */
  readonly cursor: string
}

/** `live`: over server-sent events, and from `latest` if nothing else is said. */
export type ChangelogOptions = FetchOptions & { readonly live?: boolean }

export async function* changesOf(batches: AsyncIterable<RowBatch>, place: Place): AsyncGenerator<ChangeBatch> {
  for await (const { rows, cursor } of batches) yield { changes: rows.map((row) => changeOf(row, place)), cursor }
}

type Place = Pick<FetchOptions, 'bucket' | 'partition'>

/** Answers of one bucket do not repeat which it is. */
function changeOf(row: Row, { bucket, partition = '' }: Place): Change {
  const { __op = '+A', __partition = partition, __bucket = Number(bucket), __offset, __timestamp } = row
  return {
    kind: __op as ChangeKind,
    row: Object.fromEntries(Object.entries(row).filter(([name]) => !name.startsWith('__'))),
    partition: __partition as string,
    bucket: __bucket as number,
    offset: __offset as bigint,
    timestamp: __timestamp as string,
  }
}
