/** What a walk reads with, and the steps that it makes. */
import type { Offset } from '../../kernel/ids.ts'
import type { LakeIndex } from '../../lake/files-at.ts'
import type { World } from '../../ports/world.ts'
import type { Schemas } from '../schemas.ts'
import type { RangeReader } from './ranges.ts'
import type { FetchedRows } from './rows.ts'

/** In the order in which rows were read. */
export interface Step {
  /** Index of the bucket. */
  readonly bucket: number
  /** How far its bucket is done with. */
  readonly next: Offset
  readonly rows?: FetchedRows
}

export interface Reading {
  readonly world: World
  readonly ranges: RangeReader
  readonly schemas: Schemas
  readonly lake: LakeIndex
}
