/**
 * The one update that orders a bucket's log (protocol section 1): blind, about 1 KiB, and safe to repeat unchanged. Every
 * right-hand side and condition reads the old item; base offsets stand before `e`, so that it means the same in a store that
 * evaluates in order.
 */
import { encodeProducer, headKey, producerAttribute, producerBaseAttribute, turnAttribute } from '../../format/items/head.ts'
import { limits } from '../../kernel/limits.ts'
import { idOf } from '../../model/partition.ts'
import type { Condition, SetAction, Update } from '../../ports/items.ts'
import type { Producer } from '../types.ts'
import type { BucketPlan, Member } from './plan.ts'

export interface Relied {
  readonly quiet: bigint
  readonly evictions: bigint
  /** The end of the bucket when the entries were known to be absent. */
  readonly end: bigint
}

export interface Attempt {
  readonly members: readonly Member[]
  /** As stored, in order. */
  readonly entries: readonly Uint8Array[]
}

export function appendUpdate(tableId: string, plan: BucketPlan, attempt: Attempt, relied: Relied): Update {
  const set: Record<string, SetAction> = {}
  const producers: Condition[] = []
  let rows = 0
  let bytes = 0
  for (const member of attempt.members) {
    if (member.producer !== undefined) {
      const { id, epoch, sequence, crc } = member.producer
      set[producerBaseAttribute(id)] = { plus: 'e', by: BigInt(rows) }
      set[producerAttribute(id)] = { value: encodeProducer({ epoch, sequence, crc, count: BigInt(member.rows) }) }
      producers.push(producerAdvances(member.producer, relied.evictions))
    }
    rows += member.rows
    bytes += member.length
  }
  if (attempt.entries.length > 0) set['r'] = { append: attempt.entries }
  set['y'] = { plus: 'y', by: BigInt(bytes) }
  set['e'] = { plus: 'e', by: BigInt(rows) }
  return {
    key: headKey(tableId, idOf(plan)),
    set,
    ...(plan.endsTurn === true && { remove: [turnAttribute] }),
    condition: {
      is: 'and',
      all: [
        { is: 'equal', path: 'o', value: 1n },
        { is: 'less', path: 'g', value: plan.object.label },
        ...(plan.seen === undefined ? [] : [{ is: 'equal', path: 'e', value: plan.seen } as const]),
        { is: 'equal', path: 'u', value: relied.quiet },
        { is: 'shorter', path: 'r', value: BigInt(limits.headEntriesMax) },
        ...attempt.entries.map((entry): Condition => ({ is: 'lacks', path: 'r', value: entry })),
        ...(producers.length < attempt.members.length ? [unspilled(relied.end)] : []),
        ...producers,
      ],
    },
  }
}

/**
 * Rows without a producer are known by their entry alone. While the base is at most the end that was seen before the first
 * attempt, no entry of ours can have left `recent`, so its absence there decides, however late an attempt arrives.
 */
const unspilled = (end: bigint): Condition => ({ is: 'less', path: 'b', value: end + 1n })

/** Unknown to the head, and nobody was evicted since we looked · a newer epoch · the same epoch and a later sequence. */
function producerAdvances({ id, epoch, sequence, gapDetection }: Producer, evictions: bigint): Condition {
  const path = producerAttribute(id)
  return {
    is: 'or',
    all: [
      {
        is: 'and',
        all: [
          { is: 'absent', path },
          { is: 'equal', path: 'v', value: evictions },
        ],
      },
      { is: 'less', path: `${path}.e`, value: epoch },
      {
        is: 'and',
        all: [
          { is: 'equal', path: `${path}.e`, value: epoch },
          gapDetection
            ? { is: 'equal', path: `${path}.s`, value: sequence - 1n }
            : { is: 'less', path: `${path}.s`, value: sequence },
        ],
      },
    ],
  }
}
