/**
 * Planning a group, pure: requests become blocks, blocks of one bucket lie together, the whole is one object. Members of a
 * bucket keep their order; an entry covers a run of members whose bytes are contiguous, so a refused member can be left out
 * and the rest committed with the same object.
 */

import { splitBatch } from '../../format/arrow/take.ts'
import { type Entry, encodeEntry } from '../../format/items/entry.ts'
import { encodeBlock } from '../../format/segment/block.ts'
import { encodeSegment } from '../../format/segment/segment.ts'
import { present } from '../../kernel/assert.ts'
import { lengthOf } from '../../kernel/bytes.ts'
import type { Label, Offset } from '../../kernel/ids.ts'
import { limits } from '../../kernel/limits.ts'
import { bucketKey, idOf, type Partition } from '../../model/partition.ts'
import type { Table } from '../../model/table.ts'
import type { AppendRequest, Producer } from '../types.ts'
import type { Placed } from './appender.ts'

/** One request's rows for one bucket, encoded. */
export interface EncodedRows {
  /** Its name. */
  readonly partition: string
  readonly bucket: number
  readonly rows: number
  /** The block's bytes, in pieces; the columns' are those of the request's body. */
  readonly block: readonly Uint8Array[]
  /** Of the block. */
  readonly bytes: number
}

export type Part = Placed<EncodedRows>

/** A part in its place in the object; `request` names the request among the group's. */
export interface Member {
  readonly request: number
  readonly part: number
  readonly producer: Producer | undefined
  readonly rows: number
  readonly start: number
  readonly length: number
}

export interface ObjectName {
  readonly label: Label
  readonly random: string
  readonly inline: boolean
  readonly directory: number
}

export interface BucketPlan {
  readonly partition: Partition
  readonly bucket: number
  readonly object: ObjectName
  /** The committer's clock, ms. */
  readonly time: number
  readonly members: readonly Member[]
  /** Commits only while this is the end of the bucket, and all members or none: what they say rests on what stood before it. */
  readonly seen?: Offset
  /** The turn in the head is ours, and ends with the commit. */
  readonly endsTurn?: boolean
}

export interface GroupPlan {
  readonly object: ObjectName
  readonly pieces: readonly Uint8Array[]
  readonly buckets: readonly BucketPlan[]
}

/** A part of a request that takes part in a group. */
export interface GroupPart<P = Part> {
  readonly request: number
  readonly part: number
  readonly producer: Producer | undefined
  readonly encoded: P
}

export function encodeRows(table: Table, request: AppendRequest): readonly EncodedRows[] {
  return request.parts.map(({ partition, bucket, batches }) => {
    const frames = batches.flatMap((batch) => splitBatch(batch, limits.frameBytesMax))
    const rows = frames.reduce((sum, frame) => sum + frame.rows, 0)
    const block = encodeBlock(table.schema.schemaId, partition, frames)
    return { partition, bucket, rows, block, bytes: lengthOf(block) }
  })
}

export function planGroup(parts: readonly GroupPart[], label: Label, random: string, time: number): GroupPlan {
  const byBucket = new Map<string, [GroupPart, ...GroupPart[]]>()
  for (const part of parts) {
    const key = bucketKey(idOf(part.encoded))
    const found = byBucket.get(key)
    if (found === undefined) byBucket.set(key, [part])
    else found.push(part)
  }
  const buckets = [...byBucket.values()].sort(([{ encoded: a }], [{ encoded: b }]) => a.bucket - b.bucket)
  const segment = encodeSegment(
    buckets.map((members) => ({
      partition: members[0].encoded.partition.id,
      bucket: members[0].encoded.bucket,
      count: members.reduce((rows, member) => rows + member.encoded.rows, 0),
      blocks: members.map((member) => member.encoded.block),
    })),
  )
  const directory = (buckets[0]?.[0].encoded.bucket ?? 0) % 256
  const object = { label, random, inline: segment.bytes < limits.inlineObjectBytesMax, directory }
  return {
    object,
    pieces: segment.pieces,
    buckets: buckets.map((members, index) => ({
      partition: members[0].encoded.partition,
      bucket: members[0].encoded.bucket,
      object,
      time,
      members: placeMembers(members, segment.ranges[index]?.starts ?? []),
    })),
  }
}

/** The entries of those members that are still to be committed: one for each contiguous run. */
export function entriesOf(plan: BucketPlan, members: readonly Member[]): readonly Uint8Array[] {
  const runs: { start: number; length: number; count: number }[] = []
  for (const member of members) {
    // A request without effect has its sequence, and no rows.
    if (member.rows === 0) continue
    const last = runs.at(-1)
    if (last !== undefined && last.start + last.length === member.start) {
      last.length += member.length
      last.count += member.rows
    } else runs.push({ start: member.start, length: member.length, count: member.rows })
  }
  return runs.map((run): Uint8Array => {
    const entry: Entry = { ...plan.object, ...run, time: plan.time }
    return encodeEntry(entry)
  })
}

function placeMembers(parts: readonly GroupPart[], starts: readonly number[]): readonly Member[] {
  return parts.map(({ request, part, producer, encoded }, index) => {
    const start = present(starts[index], 'the place of a block')
    return { request, part, producer, rows: encoded.rows, start, length: encoded.bytes }
  })
}
