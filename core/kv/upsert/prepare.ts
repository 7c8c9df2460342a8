/**
 * What a group becomes before any of it is committed: the state of each touched bucket at its end, the old rows of the keys, merged. A
 * bucket's tail is let go before what comes of it is kept, and what is kept is bounded while it comes. A request is taken whole, in all
 * its buckets, or refused whole: what cannot be merged in one bucket, or read, changes nothing in the others.
 */
import { splitBatch } from '../../format/arrow/take.ts'
import type { KeyState } from '../../format/run/block.ts'
import { encodeBlock } from '../../format/segment/block.ts'
import { present } from '../../kernel/assert.ts'
import { lengthOf } from '../../kernel/bytes.ts'
import type { SluiceError } from '../../kernel/errors.ts'
import type { Offset } from '../../kernel/ids.ts'
import { limits } from '../../kernel/limits.ts'
import { mapAtOnce } from '../../kernel/parallel.ts'
import type { Shares } from '../../kernel/shares.ts'
import type { Placed } from '../../log/append/appender.ts'
import type { GroupContext } from '../../log/append/context.ts'
import { type Answers, answer, beforeCommit, unsettled } from '../../log/append/group.ts'
import type { GroupPart, Part } from '../../log/append/plan.ts'
import { openHead, readHead } from '../../log/head/birth.ts'
import { logSchemaOf, opColumn, prevColumn } from '../../model/changelog.ts'
import { type BucketRef, bucketKey, idOf } from '../../model/partition.ts'
import type { Schema, Table } from '../../model/table.ts'
import type { KvBuckets } from '../buckets.ts'
import { keepStates } from '../keep.ts'
import { Room } from '../room.ts'
import { decodeColumns } from '../row-columns.ts'
import type { Effects } from '../tail.ts'
import { columnOf } from '../values.ts'
import { BucketChanges, type Taken, Touched } from './compute.ts'
import type { Numbers, Reserved } from './numbers.ts'
import type { KeyedRows } from './operations.ts'

export interface KeyedContext extends GroupContext {
  readonly buckets: KvBuckets
  readonly numbers: Numbers
  readonly schemaOf: (table: Table, schemaId: number) => Promise<Schema>
  /** Bytes for what groups hold, of all tables. */
  readonly memory: Shares
  /** Of one group. */
  readonly upsertBytesMax: number
  /** Of this process, in turns. */
  readonly holder: string
  readonly onConflict: () => void
}

export type KeyedPart = GroupPart<Placed<KeyedRows>>

/** What a bucket's operations have become, on the state at `seen`. */
export interface Prepared extends Effects {
  readonly seen: Offset
  readonly touched: readonly string[]
  /** Where the row of each touched key was written; undefined: there is none. */
  readonly offsets: readonly (bigint | undefined)[]
  readonly parts: readonly GroupPart[]
}

/** The group needs more memory than its share. */
export class NoRoomForGroup extends Error {}

const bucketsAtOnce = 16

/** By bucket. Requests that there is no room for beside others stay unsettled. Errors: `NoRoomForGroup`: there is none for the first. */
export async function prepare(
  context: KeyedContext,
  parts: readonly KeyedPart[],
  answers: Answers,
  bytesMax: number,
): Promise<ReadonlyMap<string, Prepared>> {
  const room = new Room(bytesMax, () => new NoRoomForGroup())
  const byBucket = [...Map.groupBy(parts, ({ encoded }) => bucketKey(idOf(encoded)))]
  const buckets = new Map<string, Bucket>()
  try {
    await mapAtOnce(byBucket, bucketsAtOnce, async ([key, members]) => {
      try {
        buckets.set(key, await bucketOf(context, members, room))
      } catch (error) {
        if (error instanceof NoRoomForGroup) throw error
        refuse(members, answers, beforeCommit(error))
      }
    })
    refuseWhole(parts, answers)
    await takeRequests(context, buckets, unsettled(parts, answers), answers)
  } finally {
    for (const { reserved } of buckets.values()) reserved.release()
  }
  const prepared = new Map<string, Prepared>()
  for (const [key, bucket] of buckets) if (bucket.members.length > 0) prepared.set(key, preparedOf(context.table, bucket))
  return prepared
}

interface Refused {
  readonly parts: readonly KeyedPart[]
  readonly error: unknown
}

/** As many as there is room for; what rows of before refuse stays unsettled. Errors: `NoRoomForGroup`. */
async function takeRequests(
  context: KeyedContext,
  buckets: ReadonlyMap<string, Bucket>,
  parts: readonly KeyedPart[],
  answers: Answers,
): Promise<void> {
  const refused: Refused[] = []
  let taken = 0
  let full: NoRoomForGroup | undefined
  for (const own of Map.groupBy(parts, ({ request }) => request).values()) {
    try {
      takeRequest(buckets, own)
      taken += 1
    } catch (error) {
      full = error instanceof NoRoomForGroup ? error : undefined
      if (full !== undefined) break
      refused.push({ parts: own, error })
    }
  }
  await refuseWhereNow(context, buckets, refused, answers)
  if (full !== undefined && taken === 0) throw full
}

/** Requests whose buckets are all still at the ends on which they were refused. */
async function refuseWhereNow(
  context: KeyedContext,
  buckets: ReadonlyMap<string, Bucket>,
  refused: readonly Refused[],
  answers: Answers,
): Promise<void> {
  const ends = new Map([...buckets].map(([key, { seen }]) => [key, seen]))
  const looks = await looksAt(
    context,
    refused.flatMap(({ parts }) => parts),
    ends,
  )
  for (const { parts, error } of refused) {
    const own = parts.map(({ encoded }) => present(looks.get(bucketKey(idOf(encoded))), 'the look at a bucket'))
    const failed = own.find((look) => typeof look === 'object')
    if (failed !== undefined) refuse(parts, answers, beforeCommit(failed.error))
    else if (own.every((isNow) => isNow)) refuse(parts, answers, beforeCommit(error))
  }
}

/** Is the bucket still at its end? Or why that could not be read. */
type Look = boolean | { readonly error: unknown }

/** Of each bucket of the parts one; whatever their heads are, it is remembered. */
async function looksAt(
  { world, table, memos }: KeyedContext,
  parts: readonly KeyedPart[],
  ends: ReadonlyMap<string, Offset | undefined>,
): Promise<ReadonlyMap<string, Look>> {
  const ids = new Map(parts.map(({ encoded }) => [bucketKey(idOf(encoded)), idOf(encoded)]))
  const looks = await mapAtOnce([...ids], bucketsAtOnce, async ([key, id]): Promise<[string, Look]> => {
    try {
      const head = await readHead(world, table.tableId, id)
      if (head === undefined) return [key, true]
      memos.learn(table.tableId, id, head)
      return [key, head.end === ends.get(key)]
    } catch (error) {
      return [key, { error }]
    }
  })
  return new Map(looks)
}

/** The buckets of the parts are still at these ends. Errors: those of the stores. */
export async function areNow(
  context: KeyedContext,
  parts: readonly KeyedPart[],
  ends: ReadonlyMap<string, Offset | undefined>,
): Promise<boolean> {
  const looks = [...(await looksAt(context, parts, ends)).values()]
  for (const look of looks) if (typeof look === 'object') throw look.error
  return looks.every((isNow) => isNow)
}

/** Where one of these parts is refused, the others of its request are with it. */
export function refuseWhole(parts: readonly KeyedPart[], answers: Answers): void {
  const errors = new Map<number, SluiceError>()
  for (const { request, part } of parts) {
    const outcome = answers[request]?.[part]
    if (outcome?.done === false) errors.set(request, outcome.error)
  }
  for (const part of unsettled(parts, answers)) {
    const error = errors.get(part.request)
    if (error !== undefined) answer(answers, part, { done: false, error })
  }
}

export function refuse(parts: readonly KeyedPart[], answers: Answers, error: SluiceError): void {
  for (const part of parts) answer(answers, part, { done: false, error })
}

interface Bucket {
  readonly seen: Offset
  readonly touched: ReadonlyMap<string, Touched>
  /** The key of each operation. */
  readonly touchedBy: ReadonlyMap<KeyedPart, readonly Touched[]>
  readonly reserved: Reserved
  readonly changes: BucketChanges
  readonly members: { readonly part: KeyedPart; readonly records: Taken['records'] }[]
}

async function bucketOf(context: KeyedContext, members: readonly KeyedPart[], room: Room): Promise<Bucket> {
  const { table, memos, buckets, numbers, world } = context
  const at = present(members[0], 'a part of a bucket').encoded
  const memo = memos.get(table.tableId, idOf(at)) ?? memos.learn(table.tableId, idOf(at), await openHead(world, table, at))
  const touched = new Map<string, Touched>()
  const touchedBy = new Map(members.map((part) => [part, part.encoded.operations.map(({ key }) => touchedKey(touched, key))]))
  const { end, kept } = await buckets.use(table, at, async (bucket) => {
    await bucket.catchUp(table, memo.head)
    buckets.checkRoom(bucket, at)
    return bucket.find(table, [...touched.keys()], keepStates(room))
  })
  let i = 0
  for (const own of touched.values()) own.state = kept[i++]
  const schemas = await schemasOf(context, kept)
  const schemaOf = (schemaId: number): Schema => present(schemas.get(schemaId), 'the schema of a row')
  const rows = members.map(({ encoded }) => encoded)
  const reserved = await numbers.reserve(table, rows, (key) => touched.get(key)?.state?.row !== undefined)
  const changes = new BucketChanges({ table, schemaOf, room, draw: reserved.draw })
  return { seen: end, touched, touchedBy, reserved, changes, members: [] }
}

function touchedKey(touched: Map<string, Touched>, key: string): Touched {
  const known = touched.get(key)
  if (known !== undefined) return known
  const first = new Touched(key)
  touched.set(key, first)
  return first
}

async function schemasOf(
  { table, schemaOf }: KeyedContext,
  states: readonly (KeyState | undefined)[],
): Promise<ReadonlyMap<number, Schema>> {
  const schemas = new Map<number, Schema>()
  let last = -1
  for (const state of states) {
    if (state === undefined || state.schemaId === last) continue
    last = state.schemaId
    if (!schemas.has(last)) schemas.set(last, await schemaOf(table, last))
  }
  return schemas
}

/** In all its buckets. Errors: those of `BucketChanges.take`; then in none. */
function takeRequest(buckets: ReadonlyMap<string, Bucket>, parts: readonly KeyedPart[]): void {
  const taken: (Taken & { readonly bucket: Bucket; readonly part: KeyedPart })[] = []
  try {
    for (const part of parts) {
      const bucket = present(buckets.get(bucketKey(idOf(part.encoded))), 'the bucket of a part')
      const touched = present(bucket.touchedBy.get(part), 'the keys of a part')
      taken.push({ ...bucket.changes.take(part.encoded, touched), bucket, part })
    }
  } catch (error) {
    for (const { undo } of taken.reverse()) undo()
    throw error
  }
  for (const { bucket, part, records } of taken) bucket.members.push({ part, records })
}

function preparedOf(table: Table, { seen, touched, changes, members }: Bucket): Prepared {
  const offsets = Array.from(touched.values(), ({ state }) => (state?.row === undefined ? undefined : state.offset))
  const parts = members.map(({ part, records }) => ({ ...part, encoded: encodeRecords(table, part.encoded, records) }))
  return { seen, touched: [...touched.keys()], offsets, parts, ...changes.effects() }
}

function encodeRecords(table: Table, { partition, bucket }: BucketRef, records: Taken['records']): Part {
  const { schemaId, columns: fields } = logSchemaOf(table, table.schema)
  const rows = records.rows.length
  if (rows === 0) return { partition, bucket, rows: 0, block: [], bytes: 0 }
  const types = table.schema.columns.map(({ type }) => type)
  const columns = [
    ...decodeColumns(types, records.rows),
    columnOf(opColumn.type, records.codes),
    columnOf(prevColumn.type, records.prevs),
  ]
  const block = encodeBlock(schemaId, partition.name, splitBatch({ rows, fields, columns }, limits.frameBytesMax))
  return { partition, bucket, rows, block, bytes: lengthOf(block) }
}
