/**
 * Start and end of buckets, each from a strong read of its head; a head that is not born yet is empty, and begins where its
 * partition does.
 */
import { type BucketRef, idOf } from '../../model/partition.ts'
import type { Table } from '../../model/table.ts'
import type { World } from '../../ports/world.ts'
import { readHead } from '../head/birth.ts'
import type { BucketOffsets } from '../types.ts'

const readsAtOnce = 64

/** In the order of `buckets`. */
export async function readOffsets(world: World, table: Table, buckets: readonly BucketRef[]): Promise<readonly BucketOffsets[]> {
  const offsets: BucketOffsets[] = []
  for (let from = 0; from < buckets.length; from += readsAtOnce) {
    const wave = buckets.slice(from, from + readsAtOnce)
    offsets.push(...(await Promise.all(wave.map((at) => bucketOffsets(world, table, at)))))
  }
  return offsets
}

async function bucketOffsets(world: World, table: Table, at: BucketRef): Promise<BucketOffsets> {
  const { partition, bucket } = at
  const head = await readHead(world, table.tableId, idOf(at))
  return {
    partition,
    bucket,
    start: head?.start ?? partition.floor,
    end: head?.end ?? partition.floor,
    isOpen: head?.open ?? true,
  }
}
