/** All buckets of a table: those of its one partition without a name, or of each partition that it has, in the order of names. */
import { listPartitions } from '../catalog/partitions.ts'
import { limits } from '../kernel/limits.ts'
import { type BucketRef, type Partition, unpartitioned } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import type { World } from '../ports/world.ts'
import { readOffsets } from './read/offsets.ts'
import type { BucketOffsets } from './types.ts'

/** `all`: those that are being dropped too · `tiered`: of those only the ones that leave when the lake has their rows. */
export async function* partitionsOf(world: World, table: Table, which: 'all' | 'tiered' = 'all'): AsyncIterable<Partition> {
  if (table.partitionBy.length === 0) {
    yield unpartitioned
    return
  }
  for (let after: string | undefined; ; ) {
    const page = await listPartitions(world, table, { limit: limits.listLimitMax, ...(after === undefined ? {} : { after }) })
    yield* which === 'all' ? page : page.filter(({ state, lakeRows }) => state === 'alive' || lakeRows === 'first')
    after = page.at(-1)?.name
    if (page.length < limits.listLimitMax) return
  }
}

/** Of one partition. */
export const bucketsIn = (table: Table, partition: Partition = unpartitioned): readonly BucketRef[] =>
  Array.from({ length: table.buckets.count }, (_, bucket) => ({ partition, bucket }))

export async function* bucketsOf(world: World, table: Table): AsyncIterable<BucketRef> {
  for await (const partition of partitionsOf(world, table)) yield* bucketsIn(table, partition)
}

/** Heads whose rows belong in the lake. */
export async function tieredHeads(world: World, table: Table): Promise<readonly BucketOffsets[]> {
  const buckets: BucketRef[] = []
  for await (const partition of partitionsOf(world, table, 'tiered')) buckets.push(...bucketsIn(table, partition))
  return (await readOffsets(world, table, buckets)).filter(({ isOpen }) => isOpen)
}
