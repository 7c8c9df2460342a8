/**
 * One group of a keyed table from start to answers: heads known → what is stale answered → marks → the state of each touched bucket at
 * its end → old rows of the keys, merged → one object → one update a bucket, on the condition that its end is the one that was seen →
 * reply. Nothing is visible before a bucket's update. Who loses a race looks for its own object first (the commit does), then reads what
 * came in between: where that left its keys alone the same object is committed again, else everything is computed anew. A crash
 * anywhere leaves what a crash of an append leaves.
 */
import { splitBatch } from '../../format/arrow/take.ts'
import type { KeyState } from '../../format/run/block.ts'
import { encodeBlock } from '../../format/segment/block.ts'
import { present } from '../../kernel/assert.ts'
import { lengthOf } from '../../kernel/bytes.ts'
import { isSluiceError } from '../../kernel/errors.ts'
import { labelOf, type Offset, randomId } from '../../kernel/ids.ts'
import { limits } from '../../kernel/limits.ts'
import type { Placed } from '../../log/append/appender.ts'
import type { Waiting } from '../../log/append/batcher.ts'
import { type CommitContext, commitBucket } from '../../log/append/commit.ts'
import type { GroupContext } from '../../log/append/context.ts'
import {
  type Answers,
  answer,
  beforeCommit,
  commitContextOf,
  markBefore,
  noAnswers,
  partsOf,
  resolveGroup,
  settleKnown,
  settleRest,
  settleUnopened,
  unsettled,
  writeObject,
} from '../../log/append/group.ts'
import { named } from '../../log/append/mark-keeper.ts'
import { type Memo, update } from '../../log/append/memos.ts'
import { type BucketPlan, type GroupPart, type Part, planGroup } from '../../log/append/plan.ts'
import { tend } from '../../log/append/tend.ts'
import { openHead, readHead } from '../../log/head/birth.ts'
import { awaitTurn, isOthersTurn, takeTurn } from '../../log/head/turn.ts'
import { logSchemaOf } from '../../model/changelog.ts'
import { type BucketRef, bucketKey, idOf } from '../../model/partition.ts'
import type { Schema, Table } from '../../model/table.ts'
import type { KvBucket } from '../bucket.ts'
import type { KvBuckets } from '../buckets.ts'
import { keepOffsets, keepStates } from '../keep.ts'
import { Room } from '../room.ts'
import { batchOf } from '../values.ts'
import { computeChanges } from './compute.ts'
import type { Numbers } from './numbers.ts'
import type { KeyedRows } from './operations.ts'

export interface KeyedContext extends GroupContext {
  readonly buckets: KvBuckets
  readonly numbers: Numbers
  readonly schemaOf: (table: Table, schemaId: number) => Promise<Schema>
  /** Of this process, in turns. */
  readonly holder: string
  readonly onConflict: () => void
}

type KeyedPart = GroupPart<Placed<KeyedRows>>

/** Of one request; every one of them computes again what others have changed meanwhile. */
const roundsMax = 24
/** Before a writer asks for a turn. */
const lostRacesMax = 2
const turnLooksMax = 150

/** Settles every waiting request; never throws. */
export async function runKeyedGroup(context: KeyedContext, group: readonly Waiting<Placed<KeyedRows>>[]): Promise<void> {
  const answers = noAnswers(group)
  try {
    let parts = partsOf(group)
    const newest = { ...context, table: newestTable(context.table, parts) }
    await settleUnopened(newest, parts, answers)
    parts = settleKnown(newest, unsettled(parts, answers), answers)
    const races = new Map<string, number>()
    for (let round = 0; round < roundsMax && parts.length > 0; round++) {
      await new Round(newest, answers, races).run(parts)
      parts = unsettled(parts, answers)
    }
  } catch (error) {
    settleRest(answers, error)
  }
  resolveGroup(group, answers)
}

const newestTable = (table: Table, parts: readonly KeyedPart[]): Table =>
  parts.reduce((newest, { encoded }) => (encoded.table.schema.schemaId > newest.schema.schemaId ? encoded.table : newest), table)

/** What a bucket's operations have become, on the state at `seen`. */
interface Prepared {
  readonly bucket: KvBucket
  readonly seen: Offset
  readonly states: ReadonlyMap<string, KeyState>
  readonly keys: ReadonlyMap<string, KeyState>
  readonly touched: ReadonlySet<string>
  readonly rows: bigint
  readonly parts: readonly GroupPart[]
}

class Round {
  readonly #context: KeyedContext
  readonly #answers: Answers
  /** Lost by bucket. */
  readonly #races: Map<string, number>

  constructor(context: KeyedContext, answers: Answers, races: Map<string, number>) {
    this.#context = context
    this.#answers = answers
    this.#races = races
  }

  /** Parts that lost a race stay unsettled. */
  async run(parts: readonly KeyedPart[]): Promise<void> {
    const { buckets, table } = this.#context
    const byBucket = Map.groupBy(parts, ({ encoded }) => bucketKey(idOf(encoded)))
    const held: KvBucket[] = []
    try {
      const preparing = [...byBucket].map(async ([key, members]): Promise<[string, Prepared] | undefined> => {
        const at = present(members[0], 'a part of a bucket').encoded
        const bucket = buckets.hold(table, at)
        held.push(bucket)
        try {
          return [key, await this.#prepare(bucket, at, members)]
        } catch (error) {
          for (const member of members) answer(this.#answers, member, { done: false, error: beforeCommit(error) })
          return undefined
        }
      })
      const prepared = new Map((await Promise.all(preparing)).filter((each) => each !== undefined))
      await this.#commit(prepared)
    } finally {
      for (const bucket of held) buckets.release(bucket)
    }
  }

  async #prepare(bucket: KvBucket, at: Placed<KeyedRows>, members: readonly KeyedPart[]): Promise<Prepared> {
    const { table, memos, buckets, numbers, world } = this.#context
    const memo = memos.get(table.tableId, idOf(at)) ?? memos.learn(table.tableId, idOf(at), await openHead(world, table, at))
    await bucket.catchUp(table, memo.head)
    buckets.checkRoom(bucket, at)
    const touched = new Set(members.flatMap(({ encoded }) => encoded.operations.map(({ key }) => key)))
    const { end, kept: states } = await bucket.find(table, touched, keepStates(unbounded()))
    const schemas = await this.#schemasOf(states)
    const schemaOf = (schemaId: number): Schema => present(schemas.get(schemaId), 'the schema of a row')
    const rowsOfMembers = members.map(({ encoded }) => encoded)
    const reserved = await numbers.reserve(table, rowsOfMembers, states)
    const { rows, keys, ...computed } = computeChanges({ table, states, schemaOf, members: rowsOfMembers, draw: reserved.draw })
    reserved.release()
    const parts: GroupPart[] = []
    for (const [i, member] of members.entries()) {
      const records = present(computed.members[i], 'what a member has become')
      if (isSluiceError(records)) answer(this.#answers, member, { done: false, error: beforeCommit(records) })
      else parts.push({ ...member, encoded: encodeRecords(table, member.encoded, records) })
    }
    return { bucket, seen: end, states, keys, touched, rows, parts }
  }

  async #schemasOf(states: ReadonlyMap<string, KeyState>): Promise<ReadonlyMap<number, Schema>> {
    const schemas = new Map<number, Schema>()
    for (const { schemaId } of states.values())
      if (!schemas.has(schemaId)) schemas.set(schemaId, await this.#context.schemaOf(this.#context.table, schemaId))
    return schemas
  }

  async #commit(prepared: ReadonlyMap<string, Prepared>): Promise<void> {
    const { world, table, memos } = this.#context
    const parts = [...prepared.values()].flatMap((each) => each.parts)
    if (parts.length === 0) return
    await markBefore(this.#context, parts)
    const heads = parts.map(({ encoded }) => memos.get(table.tableId, idOf(encoded))?.head)
    const isEmpty = parts.every(({ encoded }) => encoded.rows === 0)
    const now = world.clock.now()
    const plan = isEmpty
      ? planGroup(parts, labelOf(now + emptyLabelMs), randomId(world.random), now)
      : await writeObject(world, table, parts, heads)
    const commitContext = commitContextOf(this.#context)
    await Promise.all(
      plan.buckets.map((bucketPlan) =>
        this.#commitBucket(commitContext, bucketPlan, present(prepared.get(bucketKey(idOf(bucketPlan))), 'a prepared bucket')),
      ),
    )
  }

  /** Never throws: a bucket that fails must not answer for the others, whose updates are under way. */
  async #commitBucket(commitContext: CommitContext, plan: BucketPlan, prepared: Prepared): Promise<void> {
    try {
      await this.#commitOrLose(commitContext, plan, prepared)
    } catch (error) {
      for (const member of plan.members)
        if (this.#answers[member.request]?.[member.part] === undefined)
          answer(this.#answers, member, { done: false, error: beforeCommit(error) })
    }
  }

  /** Only while nothing of the plan is committed may an error leave it. */
  async #commitOrLose(commitContext: CommitContext, plan: BucketPlan, prepared: Prepared): Promise<void> {
    const { table, memos, onConflict } = this.#context
    const key = bucketKey(idOf(plan))
    let { seen } = prepared
    for (;;) {
      const memo = present(memos.get(table.tableId, idOf(plan)), 'the memo of a prepared bucket')
      const endsTurn = await this.#turn(plan, memo, this.#races.get(key) ?? 0)
      const { outcomes, advanced } = await commitBucket(commitContext, { ...plan, seen, endsTurn }, memo)
      for (const [i, member] of plan.members.entries()) {
        const outcome = outcomes[i]
        if (typeof outcome === 'object') answer(this.#answers, member, outcome)
      }
      if (advanced !== undefined) return this.#committed(plan, prepared, seen, advanced)
      if (outcomes.some((outcome) => typeof outcome === 'object' && !outcome.done && outcome.error.code === 'not-found'))
        memos.forget(table.tableId, idOf(plan))
      if (!outcomes.every((outcome) => outcome === 'conflict')) return
      onConflict()
      this.#races.set(key, (this.#races.get(key) ?? 0) + 1)
      const next = await this.#untouched(plan, memo, prepared)
      if (next === undefined || next === seen) return
      seen = next
    }
  }

  /** The end at which the keys of the plan are still as they were; undefined: some are not. */
  async #untouched(plan: BucketRef, memo: Memo, { bucket, states, touched }: Prepared): Promise<Offset | undefined> {
    const { table, buckets } = this.#context
    await bucket.catchUp(table, memo.head)
    buckets.checkRoom(bucket, plan)
    const now = await bucket.find(table, touched, keepOffsets(unbounded()))
    const isSame = [...touched].every((key) => rowOffset(states.get(key)) === now.kept.get(key))
    return isSame ? now.end : undefined
  }

  async #committed(
    plan: BucketPlan,
    { bucket, keys, rows }: Prepared,
    base: Offset,
    advanced: NonNullable<Awaited<ReturnType<typeof commitBucket>>['advanced']>,
  ): Promise<void> {
    const { table, world } = this.#context
    const bytes = plan.members.reduce((sum, { length }) => sum + length, 0)
    await bucket.apply({ base, end: advanced.head.end, keys, rows, bytes })
    this.#races.delete(bucketKey(idOf(plan)))
    await tend(this.#context, plan, advanced)
    if (!bucket.takeFoldDue()) return
    const { id, name } = plan.partition
    const of = id === '' ? {} : { partition: { id, name } }
    // Lost, the mark brings it a little later.
    await world.queue.send({ kind: 'fold', ...named(table), ...of, marks: [] }).catch(() => undefined)
  }

  /** Lets others go first whose turn it is, and after two lost races asks for a turn. True: it is ours. */
  async #turn(at: BucketRef, memo: Memo, lost: number): Promise<boolean> {
    const { world, table, holder } = this.#context
    for (let look = 0; look < turnLooksMax && isOthersTurn(world, memo.head, holder); look++) {
      await awaitTurn(world)
      const head = await readHead(world, table.tableId, idOf(at))
      if (head !== undefined) update(memo, head)
    }
    if (lost < lostRacesMax || memo.head.turn?.holder === holder) return memo.head.turn?.holder === holder
    const head = await takeTurn(world, table.tableId, idOf(at), holder)
    if (head !== undefined) update(memo, head)
    return head?.turn?.holder === holder
  }
}

/** A commit without rows refers to no object, and so to none that could be collected. */
const emptyLabelMs = 10 * 365 * 86_400_000

const unbounded = (): Room => new Room(Number.POSITIVE_INFINITY, () => new Error('no bound'))

/** Equal: the same row, or none. */
const rowOffset = (state: KeyState | undefined): bigint | undefined => (state?.row === undefined ? undefined : state.offset)

function encodeRecords(table: Table, { partition, bucket }: BucketRef, records: Parameters<typeof batchOf>[1]): Part {
  const { schemaId, columns } = logSchemaOf(table, table.schema)
  if (records.length === 0) return { partition, bucket, rows: 0, block: [], bytes: 0 }
  const frames = splitBatch(batchOf(columns, records), limits.frameBytesMax)
  const block = encodeBlock(schemaId, partition.name, frames)
  return { partition, bucket, rows: records.length, block, bytes: lengthOf(block) }
}
