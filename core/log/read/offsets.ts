/** Start and end of buckets, each from a strong read of its head; a head that is not born yet is empty. */
import { offsetOf } from '../../kernel/ids.ts'
import type { Table } from '../../model/table.ts'
import type { World } from '../../ports/world.ts'
import { readHead } from '../head/birth.ts'
import type { BucketOffsets } from '../types.ts'

const readsAtOnce = 64

export async function readOffsets(
  world: World,
  table: Table,
  buckets: { readonly from: number; readonly count: number },
): Promise<readonly BucketOffsets[]> {
  const offsets: BucketOffsets[] = []
  const end = Math.min(buckets.from + buckets.count, table.buckets.count)
  for (let from = buckets.from; from < end; from += readsAtOnce) {
    const wave = Array.from({ length: Math.min(readsAtOnce, end - from) }, (_, index) => from + index)
    offsets.push(...(await Promise.all(wave.map((bucket) => bucketOffsets(world, table, bucket)))))
  }
  return offsets
}

async function bucketOffsets(world: World, table: Table, bucket: number): Promise<BucketOffsets> {
  const head = await readHead(world, table.tableId, bucket)
  return { partition: '', bucket, start: head?.start ?? offsetOf(0), end: head?.end ?? offsetOf(0) }
}
