/**
 * Start and end of buckets, each from a strong read of its head; a head that is not born yet is empty, and begins where its
 * partition does.
 */

import type { Head } from '../../format/items/head.ts'
import { type BucketRef, idOf } from '../../model/partition.ts'
import type { Table } from '../../model/table.ts'
import type { World } from '../../ports/world.ts'
import { readHead } from '../head/birth.ts'
import type { BucketOffsets, LogSizes, RowsAndBytes } from '../types.ts'

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
    sizes: head === undefined ? { older: { rows: 0n, bytes: 0n }, recent: [] } : sizesOf(head, partition.floor),
  }
}

function sizesOf({ base, bytes, recent }: Head, floor: bigint): LogSizes {
  const commits = recent.map(({ count, length }): RowsAndBytes => ({ rows: BigInt(count), bytes: BigInt(length) }))
  const older = commits.reduce((left, commit) => left - commit.bytes, bytes)
  return { older: { rows: base - floor, bytes: older < 0n ? 0n : older }, recent: commits }
}

/**
 * Bytes of the rows of [from, end), as they were appended, by the head alone: exact for those of the latest commits, by the average
 * for older ones.
 */
export function bytesFrom({ end, sizes: { older, recent } }: Pick<BucketOffsets, 'end' | 'sizes'>, from: bigint): bigint {
  let left = end - from
  let bytes = 0n
  for (const commit of [...recent.toReversed(), older]) {
    const rows = left < commit.rows ? left : commit.rows
    if (rows > 0n) bytes += (commit.bytes * rows) / commit.rows
    left -= rows
  }
  return bytes
}
