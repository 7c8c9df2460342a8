/** Which part of a table a reader follows, and how far it came: what a cursor holds. */
import type { Offset } from '../kernel/ids.ts'

/** [first, last] */
export interface BucketSpan {
  readonly first: number
  readonly last: number
}

export type PartitionChoice =
  | { readonly kind: 'all' }
  | { readonly kind: 'name'; readonly name: string }
  /** Names that begin so, those that are made later too. */
  | { readonly kind: 'prefix'; readonly prefix: string }

export interface Selection {
  /** Ascending, apart; empty: all. */
  readonly buckets: readonly BucketSpan[]
  readonly partitions: PartitionChoice
}

export interface ReadOffset {
  /** Id of the partition. */
  readonly partition: string
  readonly bucket: number
  /** Of the next row. */
  readonly offset: Offset
}

export interface ReadPosition {
  /** Buckets that are not among them join from their earliest. */
  readonly offsets: readonly ReadOffset[]
  /** How many buckets to pass over before the first that has its turn. */
  readonly turn: number
}

/** Whether the selection is one ordered log, now and later. */
export const isOneBucket = ({ buckets, partitions }: Selection, isPartitioned: boolean): boolean =>
  buckets.length === 1 && buckets[0]?.first === buckets[0]?.last && (!isPartitioned || partitions.kind === 'name')
