/** Answers of the contract as types. They may have more fields than these: what is not known is ignored. */
import type * as z from 'zod/mini'
import type {
  alterIn,
  costOut,
  databaseOut,
  offsetsOut,
  partitionOut,
  producedOut,
  tableIn,
  tableOut,
  tierOut,
  versionOut,
} from '../contract/bodies.ts'

export type TableDescription = z.output<typeof tableOut>
export type TableSpecification = z.input<typeof tableIn>
export type TableChange = z.input<typeof alterIn>
export type DatabaseDescription = z.output<typeof databaseOut>
export type PartitionDescription = z.output<typeof partitionOut>
/** Offsets are decimal text, `endOffset` exclusive. */
export type Produced = z.output<typeof producedOut>
export type BucketOffsets = z.output<typeof offsetsOut>['buckets'][number]
export type TierState = z.output<typeof tierOut>
export type Version = z.output<typeof versionOut>
export type Cost = z.output<typeof costOut>
