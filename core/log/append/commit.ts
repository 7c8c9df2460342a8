/**
 * Committing one bucket of a group: repeat the one update until every member has a definite outcome. Only a definite refusal
 * changes the plan, and before that our own earlier attempts are looked for. A crash before the update leaves an object that
 * the sweep deletes; a crash after it leaves rows that the producer's retry finds as its own.
 */
import { decodeHead, type Head } from '../../format/items/head.ts'
import { isSluiceError, SluiceError, withEffect } from '../../kernel/errors.ts'
import { type Offset, offsetOf } from '../../kernel/ids.ts'
import { limits } from '../../kernel/limits.ts'
import { idOf } from '../../model/partition.ts'
import type { Table } from '../../model/table.ts'
import type { World } from '../../ports/world.ts'
import { readHead } from '../head/birth.ts'
import { readEvicted } from '../head/evict.ts'
import { spill } from '../head/spill.ts'
import { type Memo, rely, update } from './memos.ts'
import { type BucketPlan, entriesOf, type Member } from './plan.ts'
import { findEntry } from './resolve.ts'
import { type Attempt, appendUpdate } from './update.ts'
import { type Outcome, verdict } from './verdict.ts'

/**
 * `rewrite`: the object's label was collected before its commit; nothing happened, write a new object. `conflict`: the end is not
 * the one that the plan saw, or another member of it is settled by itself; nothing happened, and never will.
 */
export type MemberOutcome = Outcome | 'rewrite' | 'conflict'

export interface Committed {
  /** In the order of the plan's members. */
  readonly outcomes: readonly MemberOutcome[]
  /** The head after our own successful update, with the bytes that it had before. */
  readonly advanced?: { readonly head: Head; readonly bytesBefore: bigint }
}

export interface CommitContext {
  readonly world: World
  readonly table: Table
  /** Puts the marks that a commit relies on. */
  readonly mark: () => Promise<void>
  /** Puts those that stand before anything is spilled. */
  readonly markSpill: () => Promise<void>
}

const attemptsMax = 32

export async function commitBucket(context: CommitContext, plan: BucketPlan, memo: Memo): Promise<Committed> {
  const commit = new BucketCommit(context, plan, memo)
  try {
    return await commit.run()
  } catch (error) {
    return commit.failed(error)
  }
}

/** The state of one bucket's commit: what is pending, what was attempted, what is settled. */
class BucketCommit {
  readonly #context: CommitContext
  readonly #plan: BucketPlan
  readonly #memo: Memo
  readonly #endBefore: Offset
  readonly #outcomes = new Map<Member, MemberOutcome>()
  readonly #attempts: Attempt[] = []
  #pending: readonly Member[]
  /** At this count we know which pending producers were evicted. The memo may move on while we read: other commits share it. */
  #evictions: bigint
  /** The end when we last made sure that no attempt of ours had happened. */
  #endSeen: Offset
  /** Some attempt of ours may be under way yet, although no answer will come. */
  #ambiguous = false
  /** Whether an attempt of ours happened cannot be seen any more: what is not known to be done has an unknown effect. */
  #isHidden = false

  constructor(context: CommitContext, plan: BucketPlan, memo: Memo) {
    this.#context = context
    this.#plan = plan
    this.#memo = memo
    this.#pending = plan.members
    this.#endBefore = memo.head.end
    this.#evictions = memo.head.evictions
    this.#endSeen = memo.head.end
  }

  async run(): Promise<Committed> {
    await this.#settleEvicted(this.#memo.head)
    this.#settleConflict(this.#plan.seen)
    for (let round = 0; round < attemptsMax && this.#pending.length > 0; round++) {
      // Checked again without a pause: another commit that shares the memo may learn of a new `quiet` before we go on.
      while (!this.#memo.marked) await rely([this.#memo], this.#context.mark)
      const { world, table } = this.#context
      const attempt = this.#attempt()
      const relied = { quiet: this.#memo.head.quiet, evictions: this.#evictions, end: this.#endSeen }
      const result = await world.items.update(appendUpdate(table.tableId, this.#plan, attempt, relied)) // COMMIT POINT
      if (result.done) {
        const head = decodeHead(result.item)
        update(this.#memo, head)
        const rows = attempt.members.reduce((sum, member) => sum + member.rows, 0)
        this.#accept(attempt, offsetOf(head.end - BigInt(rows)))
        const bytes = attempt.members.reduce((sum, member) => sum + member.length, 0)
        return { outcomes: this.#settled(), advanced: { head, bytesBefore: head.bytes - BigInt(bytes) } }
      }
      this.#ambiguous ||= result.ambiguous === true
      if (result.item === undefined) {
        this.#settleAll(withEffect(this.#gone(), this.#ambiguous ? 'unknown' : 'none'))
        break
      }
      await this.#refused(decodeHead(result.item), this.#ambiguous)
    }
    if (this.#pending.length > 0) {
      this.#settleAll(
        new SluiceError('unavailable', `bucket ${this.#plan.bucket} is contended: send the request again`, { effect: 'unknown' }),
      )
    }
    return { outcomes: this.#settled() }
  }

  /** An error escaped: what was attempted may have happened. One look decides, if it can. */
  async failed(error: unknown): Promise<Committed> {
    const known = isSluiceError(error) ? error : new SluiceError('internal', 'the commit failed', { cause: error })
    if (this.#attempts.length === 0) this.#settleAll(withEffect(known, 'none'))
    else {
      try {
        const { world, table } = this.#context
        const head = await readHead(world, table.tableId, idOf(this.#plan))
        if (head !== undefined) await this.#acceptOwn(head)
      } catch {
        // The look failed as well: what is pending stays unknown.
      }
      this.#settleAll(withEffect(known, 'unknown'))
    }
    return { outcomes: this.#settled() }
  }

  #attempt(): Attempt {
    const attempt = { members: this.#pending, entries: entriesOf(this.#plan, this.#pending) }
    const last = this.#attempts.at(-1)
    if (last === undefined || last.members !== attempt.members) this.#attempts.push(attempt)
    return attempt
  }

  /** The head as it was when the update was refused says why. */
  async #refused(head: Head, ambiguous: boolean): Promise<void> {
    const { world, table } = this.#context
    const own = await this.#acceptOwn(head)
    if (own === 'accepted') return
    this.#endSeen = head.end
    update(this.#memo, head)
    if (ambiguous && own === 'hidden') await this.#settleHidden(head)
    if (!head.open) return this.#settleAll(this.#gone())
    if (head.gc >= this.#plan.object.label) {
      for (const member of this.#pending) this.#outcomes.set(member, 'rewrite')
      this.#pending = []
      return
    }
    if (head.recent.length >= limits.headEntriesMax) {
      await this.#context.markSpill()
      update(this.#memo, await spill(world, table, idOf(this.#plan), head, limits.spillAtEntries))
    }
    this.#settleKnown(head, ambiguous)
    if (ambiguous) this.#settleBesideGap()
    if (head.evictions !== this.#evictions) await this.#settleEvicted(head)
    this.#settleConflict(head.end)
  }

  /** An attempt that is under way yet demands the same end, which is past: it comes too late. */
  #settleConflict(end: Offset | undefined): void {
    if (this.#plan.seen === undefined) return
    if (end === this.#plan.seen && this.#pending.length === this.#plan.members.length) return
    for (const member of this.#pending) this.#outcomes.set(member, 'conflict')
    this.#pending = []
  }

  /**
   * Where a gap has left an attempt that is still under way undecided, rows without a producer cannot be committed again: nothing
   * would tell the two commits apart once the gap closes.
   */
  #settleBesideGap(): void {
    const isOpen = [...this.#outcomes.values()].some(
      (outcome) => typeof outcome === 'object' && !outcome.done && outcome.error.code === 'sequence-gap',
    )
    if (!isOpen) return
    const error = new SluiceError('unavailable', 'the rows met a request whose outcome is open', { effect: 'unknown' })
    this.#settle(({ producer }) => (producer === undefined ? { done: false, error } : undefined))
  }

  /**
   * Our entry may have been joined with others, or given up: rows without a producer have no other trace, and a producer that has gone
   * on since is refused whether or not they are there. One that the head knows from before shows that nothing of ours happened.
   */
  async #settleHidden(head: Head): Promise<void> {
    this.#isHidden = true
    const error = new SluiceError('unavailable', 'whether the rows are there cannot be told any more', { effect: 'unknown' })
    this.#settle(({ producer }) => (producer === undefined ? { done: false, error } : undefined))
    this.#settleKnown(head, true)
    await this.#settleEvicted(head)
  }

  #settleKnown(head: Head, ambiguous: boolean): void {
    this.#settle(({ producer }) => {
      const decided = producer && verdict(producer, head.producers.get(producer.id))
      return ambiguous ? lasting(decided) : decided
    })
  }

  /** A producer that the head does not know may be one that was evicted. Nobody ever was while `evictions` is 0. */
  async #settleEvicted(head: Head): Promise<void> {
    this.#evictions = head.evictions
    if (head.evictions === 0n) return
    const { world, table } = this.#context
    const settled = new Map<Member, Outcome | undefined>()
    for (const member of this.#pending) {
      const { producer } = member
      if (producer === undefined || head.producers.has(producer.id)) continue
      settled.set(member, verdict(producer, await readEvicted(world, table, idOf(this.#plan), producer.id)))
    }
    this.#settle((member) => settled.get(member))
  }

  /** An attempt of ours that turns out to have happened settles all its members. */
  async #acceptOwn(head: Head): Promise<'accepted' | 'absent' | 'hidden'> {
    let notThere: 'absent' | 'hidden' = 'absent'
    for (const attempt of this.#attempts) {
      const [entry] = attempt.entries
      if (entry === undefined || !attempt.members.some((member) => this.#pending.includes(member))) continue
      const { world, table } = this.#context
      const sought = { tableId: table.tableId, at: idOf(this.#plan), entry, endBefore: this.#endBefore }
      const base = await findEntry(world, head, sought)
      if (base === 'hidden') notThere = 'hidden'
      if (typeof base === 'string') continue
      this.#accept(attempt, base)
      return 'accepted'
    }
    return notThere
  }

  #accept(attempt: Attempt, base: Offset): void {
    let offset: bigint = base
    for (const member of attempt.members) {
      const end = offset + BigInt(member.rows)
      this.#outcomes.set(member, { done: true, base: offsetOf(offset), end: offsetOf(end), duplicate: false })
      offset = end
    }
    this.#pending = this.#pending.filter((member) => !this.#outcomes.has(member))
  }

  #settle(decide: (member: Member) => Outcome | undefined): void {
    for (const member of this.#pending) {
      const outcome = decide(member)
      if (outcome !== undefined) this.#outcomes.set(member, this.#isHidden ? open(outcome) : outcome)
    }
    if (this.#pending.some((member) => this.#outcomes.has(member))) {
      this.#pending = this.#pending.filter((member) => !this.#outcomes.has(member))
    }
  }

  #settleAll(error: SluiceError): void {
    const outcome: Outcome = { done: false, error }
    for (const member of this.#pending) this.#outcomes.set(member, this.#isHidden ? open(outcome) : outcome)
    this.#pending = []
  }

  #settled(): readonly MemberOutcome[] {
    return this.#plan.members.map(
      (member) =>
        this.#outcomes.get(member) ?? {
          done: false,
          error: new SluiceError('internal', 'a member has no outcome', { effect: 'unknown' }),
        },
    )
  }

  #gone(): SluiceError {
    const { database, name } = this.#context.table
    const { id, name: partition } = this.#plan.partition
    const what = id === '' ? `table ${database}.${name}` : `partition ${partition} of ${database}.${name}, or the table,`
    return new SluiceError('not-found', `${what} was dropped`, {
      action: 'refresh',
      facts: { database, table: name, ...(id === '' ? {} : { partition }) },
    })
  }
}

/** A refusal of what may have been done before. */
function open(outcome: Outcome): Outcome {
  return outcome.done ? outcome : { done: false, error: withEffect(outcome.error, 'unknown') }
}

/** A gap can close, and an earlier attempt of ours that is still under way would then be accepted: its effect is not known. */
function lasting(decided: Outcome | undefined): Outcome | undefined {
  if (decided === undefined || decided.done || decided.error.code !== 'sequence-gap') return decided
  return { done: false, error: withEffect(decided.error, 'unknown') }
}
