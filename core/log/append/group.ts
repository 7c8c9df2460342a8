/**
 * One group from start to answers: heads known → what is stale answered → marks → one object → one update a bucket → tend the
 * heads → reply. Nothing is visible before a bucket's update; each bucket stands alone.
 */

import { objectKey } from '../../format/items/entry.ts'
import type { Head } from '../../format/items/head.ts'
import { isSluiceError, SluiceError } from '../../kernel/errors.ts'
import { type Label, labelOf, labelTime, randomId } from '../../kernel/ids.ts'
import { type BucketRef, bucketKey, idOf } from '../../model/partition.ts'
import type { Table } from '../../model/table.ts'
import type { World } from '../../ports/world.ts'
import { openHead } from '../head/birth.ts'
import type { BucketAppended } from '../types.ts'
import type { NamedPart, Placed } from './appender.ts'
import type { Waiting } from './batcher.ts'
import { type CommitContext, commitBucket, type MemberOutcome } from './commit.ts'
import type { GroupContext } from './context.ts'
import { rely } from './memos.ts'
import { type BucketPlan, type GroupPart, type GroupPlan, type Part, planGroup } from './plan.ts'
import { tend } from './tend.ts'
import { type Outcome, verdict } from './verdict.ts'

/** How often an object is written anew because its label was collected before its commit. */
const rewritesMax = 4
const openedAtOnceMax = 64

/** Settles every waiting request; never throws. */
export async function runGroup(context: GroupContext, group: readonly Waiting<Part>[]): Promise<void> {
  const answers = noAnswers(group)
  try {
    let parts = partsOf(group)
    await settleUnopened(context, parts, answers)
    parts = settleKnown(context, unsettled(parts, answers), answers)
    for (let round = 0; round < rewritesMax && parts.length > 0; round++) {
      await writeAndCommit(context, parts, answers)
      parts = unsettled(parts, answers)
    }
  } catch (error) {
    settleRest(answers, error)
  }
  resolveGroup(group, answers)
}

/** By request, then by part; undefined: not settled yet. */
export type Answers = (Outcome | undefined)[][]

export const noAnswers = (group: readonly Waiting<Placed<NamedPart>>[]): Answers =>
  group.map(({ parts }): (Outcome | undefined)[] => parts.map(() => undefined))

export const partsOf = <P extends Placed<NamedPart>>(group: readonly Waiting<P>[]): GroupPart<P>[] =>
  group.flatMap(({ parts, producer }, request) =>
    parts.map((encoded, part): GroupPart<P> => ({ request, part, producer, encoded })),
  )

export function resolveGroup(group: readonly Waiting<Placed<NamedPart>>[], answers: Answers): void {
  if (answers.some((parts) => parts.includes(undefined))) {
    settleRest(answers, new SluiceError('unavailable', 'the rows could not be committed: send the request again'))
  }
  for (const [request, waiting] of group.entries()) waiting.resolve(appended(waiting, answers[request] ?? []))
}

/** Heads that this process has not seen yet are read or born; a bucket whose head cannot be had fails alone. */
export async function settleUnopened<P extends Placed<NamedPart>>(
  context: GroupContext,
  parts: readonly GroupPart<P>[],
  answers: Answers,
): Promise<void> {
  const { world, table, memos } = context
  const unopened = new Map<string, BucketRef>()
  for (const { encoded } of parts)
    if (memos.get(table.tableId, idOf(encoded)) === undefined) unopened.set(bucketKey(idOf(encoded)), encoded)
  const open = async ([key, at]: readonly [string, BucketRef]): Promise<void> => {
    try {
      memos.learn(table.tableId, idOf(at), await openHead(world, table, at))
    } catch (error) {
      for (const part of parts)
        if (bucketKey(idOf(part.encoded)) === key) answer(answers, part, { done: false, error: beforeCommit(error) })
    }
  }
  const waiting = [...unopened]
  while (waiting.length > 0) await Promise.all(waiting.splice(0, openedAtOnceMax).map(open))
}

/** What the heads that we saw already decide needs no object. A gap is not decided here: the head may have moved on. */
export function settleKnown<P extends Placed<NamedPart>>(
  context: GroupContext,
  parts: readonly GroupPart<P>[],
  answers: Answers,
): GroupPart<P>[] {
  const { table, memos } = context
  return parts.filter((part) => {
    if (part.producer === undefined) return true
    const head = memos.get(table.tableId, idOf(part.encoded))?.head
    const decided = verdict({ ...part.producer, gapDetection: false }, head?.producers.get(part.producer.id))
    if (decided !== undefined) answer(answers, part, decided)
    return decided === undefined
  })
}

async function writeAndCommit(context: GroupContext, parts: readonly GroupPart[], answers: Answers): Promise<void> {
  const { world, table, memos } = context
  const heads = parts.map((part) => memos.get(table.tableId, idOf(part.encoded))?.head)
  await markBefore(context, parts)
  const plan = await writeObject(world, table, parts, heads)
  const commitContext = commitContextOf(context)
  await Promise.all(plan.buckets.map((bucketPlan) => commitPlanned(context, commitContext, bucketPlan, answers)))
}

export const commitContextOf = ({ world, table, marks }: GroupContext): CommitContext => ({
  world,
  table,
  mark: () => marks.mark(table),
  markSpill: () => marks.spills(table),
})

/** Never throws: a bucket that fails must not answer for the others, whose updates are under way. */
async function commitPlanned(
  context: GroupContext,
  commitContext: CommitContext,
  plan: BucketPlan,
  answers: Answers,
): Promise<void> {
  const { world, table, memos } = context
  let memo = memos.get(table.tableId, idOf(plan))
  try {
    memo ??= memos.learn(table.tableId, idOf(plan), await openHead(world, table, plan))
  } catch (error) {
    for (const member of plan.members) answer(answers, member, { done: false, error: beforeCommit(error) })
    return
  }
  const { outcomes, advanced } = await commitBucket(commitContext, plan, memo)
  if (advanced !== undefined) await tend(context, plan, advanced)
  if (outcomes.some((outcome) => typeof outcome === 'object' && !outcome.done && outcome.error.code === 'not-found')) {
    memos.forget(table.tableId, idOf(plan))
  }
  plan.members.forEach((member, index) => {
    const outcome = outcomes[index] as MemberOutcome
    if (typeof outcome === 'object') answer(answers, member, outcome)
  })
}

/** One mark serves all buckets that were learned before it. */
export async function markBefore(
  { table, memos, marks }: GroupContext,
  parts: readonly GroupPart<Placed<NamedPart>>[],
): Promise<void> {
  await marks.renew(table)
  const touched = new Set(parts.map((part) => memos.get(table.tableId, idOf(part.encoded))).filter((memo) => memo !== undefined))
  await rely([...touched], () => marks.mark(table))
}

/** The label is above what was collected, whatever the clock says. A crash here leaves an orphan that the sweep deletes. */
export async function writeObject(
  world: World,
  table: Table,
  parts: readonly GroupPart[],
  heads: readonly (Head | undefined)[],
): Promise<GroupPlan> {
  const now = world.clock.now()
  const collected = heads.reduce((highest, head) => Math.max(highest, head === undefined ? 0 : labelTime(head.gc)), 0)
  const label: Label = labelOf(Math.max(now, collected + 1))
  for (let attempt = 0; attempt < 3; attempt++) {
    const plan = planGroup(parts, label, randomId(world.random), now)
    try {
      if ((await world.objects.create(objectKey(table.tableId, plan.object), plan.pieces)) === 'created') return plan
    } catch (error) {
      throw beforeCommit(error)
    }
  }
  throw new SluiceError('internal', 'three random object names were taken', { effect: 'none' })
}

/** Nothing refers to the object yet: whatever became of it, the append had no effect. */
export function beforeCommit(error: unknown): SluiceError {
  if (!isSluiceError(error))
    return new SluiceError('internal', 'the append failed before its commit', { effect: 'none', cause: error })
  if (error.effect === 'none') return error
  return new SluiceError(error.code, error.message, { effect: 'none', action: error.action, facts: error.facts, cause: error })
}

export function unsettled<P>(parts: readonly GroupPart<P>[], answers: Answers): GroupPart<P>[] {
  return parts.filter((part) => answers[part.request]?.[part.part] === undefined)
}

export function answer(answers: Answers, at: { readonly request: number; readonly part: number }, outcome: Outcome): void {
  const parts = answers[at.request]
  if (parts !== undefined) parts[at.part] = outcome
}

export function settleRest(answers: Answers, error: unknown): void {
  const known = isSluiceError(error)
    ? error
    : new SluiceError('internal', 'the append failed', { effect: 'unknown', cause: error })
  for (const parts of answers)
    parts.forEach((outcome, index) => {
      if (outcome === undefined) parts[index] = { done: false, error: known }
    })
}

function appended(waiting: Waiting<Placed<NamedPart>>, outcomes: readonly (Outcome | undefined)[]): readonly BucketAppended[] {
  return waiting.parts.map(({ partition, bucket }, index) => ({
    partition: partition.name,
    bucket,
    outcome: outcomes[index] as Outcome,
  }))
}
