/**
 * Joining: the frames of a run of index items, as they were stored, become one object with one range for each item. Every checksum
 * is verified on the way, so damage is never written again. Commits nothing: a crash leaves an orphan.
 */
import { type Entry, objectKey } from '../../format/items/entry.ts'
import type { IndexItem } from '../../format/items/index-item.ts'
import { encodeJoinedBlock, type JoinedFrame } from '../../format/segment/block.ts'
import { encodeSegment, type RangeBlocks } from '../../format/segment/segment.ts'
import { assert, present } from '../../kernel/assert.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { type Label, offsetOf, randomId } from '../../kernel/ids.ts'
import { limits } from '../../kernel/limits.ts'
import type { BucketId } from '../../model/partition.ts'
import type { Table } from '../../model/table.ts'
import type { World } from '../../ports/world.ts'
import { openEntries, type StoredFrame } from '../read/frames.ts'
import { Ranges } from '../read/ranges.ts'

/** One for each item, all of one new object, and the object's bytes. */
export interface Joined {
  readonly entries: readonly Entry[]
  readonly bytes: number
}

/** Errors: `not-found` (an object left meanwhile), `internal` (damage), those of the store. */
export async function join(world: World, table: Table, at: BucketId, items: readonly IndexItem[], label: Label): Promise<Joined> {
  const ranges = await readRanges(world, table, at, items)
  const segment = encodeSegment(ranges)
  const inline = segment.bytes < limits.inlineObjectBytesMax
  for (let attempt = 0; attempt < namesMax; attempt++) {
    const object = { label, random: randomId(world.random), inline, directory: at.bucket % 256 }
    const entries = items.map((item, i): Entry => {
      const { start, length, count } = present(segment.ranges[i], 'the range of an item')
      return { ...object, start, length, count, time: item.entries.reduce((most, { time }) => Math.max(most, time), 0) }
    })
    const created = await world.objects.create(objectKey(table.tableId, object), segment.pieces)
    if (created === 'created') return { entries, bytes: segment.bytes }
  }
  throw new SluiceError('internal', 'three random object names were taken', { effect: 'none' })
}

const namesMax = 3

async function readRanges(
  world: World,
  table: Table,
  at: BucketId,
  items: readonly IndexItem[],
): Promise<readonly RangeBlocks[]> {
  const shape = { tableId: table.tableId, columns: table.schema.columns.length }
  const reads = items.flatMap((item) => {
    let offset: bigint = item.start
    return item.entries.map((entry) => {
      const read = { offset: offsetOf(offset), entry, whole: true }
      offset += BigInt(entry.count)
      return read
    })
  })
  const opened = await openEntries(new Ranges(world.objects, 0), shape, reads)
  const ranges: RangeBlocks[] = []
  let next = 0
  for (const item of items) {
    const frames: StoredFrame[] = []
    for (const _ of item.entries) for await (const frame of present(opened[next++], 'an opened entry')) frames.push(frame)
    const count = frames.reduce((rows, frame) => rows + frame.rows, 0)
    assert(item.start + BigInt(count) === item.end, 'the rows of an index item are joined whole', { start: `${item.start}` })
    ranges.push({ partition: at.partition, bucket: at.bucket, count, blocks: blocksOf(frames) })
  }
  return ranges
}

/** One for each run of frames of one schema. */
function blocksOf(frames: readonly StoredFrame[]): readonly (readonly Uint8Array[])[] {
  const runs: { readonly schemaId: number; readonly frames: JoinedFrame[] }[] = []
  for (const { schemaId, time, frame, message } of frames) {
    let run = runs.at(-1)
    if (run?.schemaId !== schemaId) {
      run = { schemaId, frames: [] }
      runs.push(run)
    }
    run.frames.push({ header: frame, time, bytes: present(message, 'the message of an entry that was read whole') })
  }
  return runs.map((run) => encodeJoinedBlock(run.schemaId, run.frames))
}
