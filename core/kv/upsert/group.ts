/**
 * One group of a keyed table from start to answers: heads known → what is stale answered → the state of each touched bucket at
 * its end → old rows of the keys, merged (prepare.ts) → marks → one object → one update a bucket, on the condition that its end is the one that was seen →
 * reply. Nothing is visible before a bucket's update. Who loses a race looks for its own object first (the commit does), then reads what
 * came in between: where that left its keys alone the same object is committed again, else everything is computed anew. A crash
 * anywhere leaves what a crash of an append leaves.
 */
import { present } from '../../kernel/assert.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { labelOf, type Offset, randomId } from '../../kernel/ids.ts'
import type { Placed } from '../../log/append/appender.ts'
import type { Waiting } from '../../log/append/batcher.ts'
import { type CommitContext, commitBucket } from '../../log/append/commit.ts'
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
import { type BucketPlan, planGroup } from '../../log/append/plan.ts'
import { tend } from '../../log/append/tend.ts'
import { readHead } from '../../log/head/birth.ts'
import { awaitTurn, isOthersTurn, takeTurn } from '../../log/head/turn.ts'
import { type BucketRef, bucketKey, idOf } from '../../model/partition.ts'
import type { Table } from '../../model/table.ts'
import { keepOffsets } from '../keep.ts'
import { Room } from '../room.ts'
import type { KeyedRows } from './operations.ts'
import {
  areNow,
  type KeyedContext,
  type KeyedPart,
  NoRoomForGroup,
  type Prepared,
  prepare,
  refuse,
  refuseWhole,
} from './prepare.ts'

/** In which nothing was settled; every one of them computes again what others have changed meanwhile. */
const idleRoundsMax = 24
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
    refuseWhole(parts, answers)
    parts = settleKnown(newest, unsettled(parts, answers), answers)
    const races = new Map<string, number>()
    for (let idle = 0; idle < idleRoundsMax && parts.length > 0; ) {
      await new Round(newest, answers, races).run(parts)
      // a head that was read meanwhile may hold what a part repeats
      const left = settleKnown(newest, unsettled(parts, answers), answers)
      idle = left.length < parts.length ? 0 : idle + 1
      parts = left
    }
  } catch (error) {
    settleRest(answers, error)
  }
  resolveGroup(group, answers)
}

const newestTable = (table: Table, parts: readonly KeyedPart[]): Table =>
  parts.reduce((newest, { encoded }) => (encoded.table.schema.schemaId > newest.schema.schemaId ? encoded.table : newest), table)

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

  /**
   * In a share of the memory that is enough as a rule. What needs more waits for a whole one, then goes with fewer requests at once, and
   * a request that is too large alone is refused. Parts that lost a race, or had to wait, stay unsettled.
   */
  async run(parts: readonly KeyedPart[]): Promise<void> {
    const { memory, upsertBytesMax } = this.#context
    let own = parts
    const ends = this.#ends(parts)
    for (let bytes = Math.min(upsertBytesMax, expectedBytes(parts)); ; bytes = upsertBytesMax) {
      await memory.take(bytes)
      try {
        return await this.#commit(await prepare(this.#context, own, this.#answers, bytes))
      } catch (error) {
        if (!(error instanceof NoRoomForGroup)) throw error
      } finally {
        memory.give(bytes)
      }
      refuseWhole(own, this.#answers)
      own = unsettled(own, this.#answers)
      if (bytes < upsertBytesMax) continue
      const requests = [...new Set(own.map(({ request }) => request))]
      if (requests.length <= 1) {
        // what is too large may not be there any more
        if (!(await areNow(this.#context, own, ends))) return
        return refuse(own, this.#answers, tooLarge(upsertBytesMax))
      }
      const half = new Set(requests.slice(0, requests.length / 2))
      own = own.filter(({ request }) => half.has(request))
    }
  }

  #ends(parts: readonly KeyedPart[]): ReadonlyMap<string, Offset | undefined> {
    const { table, memos } = this.#context
    return new Map(parts.map(({ encoded }) => [bucketKey(idOf(encoded)), memos.get(table.tableId, idOf(encoded))?.head.end]))
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
  #untouched(plan: BucketRef, memo: Memo, { touched, offsets }: Prepared): Promise<Offset | undefined> {
    const { table, buckets } = this.#context
    return buckets.use(table, plan, async (bucket) => {
      await bucket.catchUp(table, memo.head)
      buckets.checkRoom(bucket, plan)
      const now = await bucket.find(table, touched, keepOffsets(nothing()))
      const isSame = offsets.every((offset, i) => offset === now.kept[i])
      return isSame ? now.end : undefined
    })
  }

  async #committed(
    plan: BucketPlan,
    { keys, rows }: Prepared,
    base: Offset,
    advanced: NonNullable<Awaited<ReturnType<typeof commitBucket>>['advanced']>,
  ): Promise<void> {
    const { table, world, buckets } = this.#context
    const bytes = plan.members.reduce((sum, { length }) => sum + length, 0)
    const isFoldDue = await buckets.use(table, plan, async (bucket) => {
      await bucket.apply({ base, end: advanced.head.end, keys, rows, bytes })
      return bucket.takeFoldDue()
    })
    this.#races.delete(bucketKey(idOf(plan)))
    await tend(this.#context, plan, advanced)
    if (!isFoldDue) return
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

/** Offsets take no room. */
const nothing = (): Room => new Room(0, () => new NoRoomForGroup())

/** The old rows, and the changelog with both: rows are replaced by some of about their size, as a rule. */
const expectedBytes = (parts: readonly KeyedPart[]): number =>
  parts.reduce((sum, { encoded }) => sum + 4 * encoded.bytes, 4 * 1024 * 1024)

const tooLarge = (bytesMax: number): SluiceError =>
  new SluiceError(
    'too-large',
    `the rows that are there under these keys, and the changelog of the request, have more than ${bytesMax} bytes: send fewer rows at once`,
    { facts: { limit: 'upsertBytesMax', bytesMax } },
  )
