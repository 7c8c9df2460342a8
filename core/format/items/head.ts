/**
 * The head of a bucket: the one item whose conditional update orders the log. Attribute names are one letter because
 * DynamoDB bills the whole item: o open · g gc · s start · b base · e end · r recent · v evictions · u quiet · y bytes ·
 * m maxTime · t turn {h x} of a writer of a keyed bucket · p<id> {e s n c} and q<id> per active producer. Invariant, asserted at every decode:
 * base + Σ counts(recent) = end.
 */
import { assert } from '../../kernel/assert.ts'
import { type Label, labelPattern, type Offset, offsetOf } from '../../kernel/ids.ts'
import { type BucketId, bucketKey } from '../../model/partition.ts'
import type { Attributes, Item, ItemKey, ItemValue } from '../../ports/items.ts'
import { decodeEntry, type Entry } from './entry.ts'

export interface ProducerState {
  readonly epoch: bigint
  readonly sequence: bigint
  /** Rows of the latest request in this bucket. */
  readonly count: bigint
  readonly crc: number
  /** Offset of its first row. */
  readonly base: Offset
}

export interface Turn {
  readonly holder: string
  readonly until: number
}

export interface Head {
  readonly open: boolean
  readonly gc: Label
  readonly start: Offset
  readonly base: Offset
  readonly end: Offset
  readonly recent: readonly Entry[]
  /** The entries as stored, for comparison. */
  readonly recentBytes: readonly Uint8Array[]
  readonly producers: ReadonlyMap<string, ProducerState>
  readonly evictions: bigint
  readonly quiet: bigint
  /** Bytes ever appended. */
  readonly bytes: bigint
  /** Running maximum of the times of spilled entries, ms. */
  readonly maxTime: number
  /** Of a keyed bucket: who lost too many races, and until when the others let it go first, ms since 1970. */
  readonly turn: Turn | undefined
}

export const headKey = (tableId: string, at: BucketId): ItemKey => ({ partition: `${tableId}#${bucketKey(at)}`, sort: 'h' })

/** `floor`: its first offset. */
export function newHead(tableId: string, at: BucketId, { gc, floor }: { readonly gc: Label; readonly floor: Offset }): Item {
  return {
    key: headKey(tableId, at),
    attributes: { o: 1n, g: gc, s: floor, b: floor, e: floor, r: [], v: 0n, u: 0n, y: 0n, m: 0n },
  }
}

export function decodeHead(item: Item): Head {
  const a = item.attributes
  const recentBytes = (a['r'] ?? []) as readonly Uint8Array[]
  assert(Array.isArray(recentBytes), 'the recent entries of a head are a list', { key: item.key })
  const recent = recentBytes.map(decodeEntry)
  const base = integer(a, 'b')
  const end = integer(a, 'e')
  const start = integer(a, 's')
  let counted = base
  for (const entry of recent) counted += BigInt(entry.count)
  assert(counted === end, 'base and counts of a head give its end', {
    key: item.key,
    base: `${base}`,
    counted: `${counted}`,
    end: `${end}`,
  })
  assert(start <= base, 'a head starts at or before its base', { key: item.key, start: `${start}`, base: `${base}` })
  const gc = a['g']
  assert(typeof gc === 'string' && labelPattern.test(gc), 'the gc of a head is a label', { key: item.key })
  return {
    open: integer(a, 'o') === 1n,
    gc: gc as Label,
    start: offsetOf(start),
    base: offsetOf(base),
    end: offsetOf(end),
    recent,
    recentBytes,
    producers: producersOf(a),
    evictions: integer(a, 'v'),
    quiet: integer(a, 'u'),
    bytes: integer(a, 'y'),
    maxTime: Number(integer(a, 'm')),
    turn: turnOf(a),
  }
}

export const turnAttribute = 't'
export const encodeTurn = ({ holder, until }: Turn): ItemValue => ({ h: holder, x: BigInt(until) })

function turnOf(a: Attributes): Turn | undefined {
  const turn = a[turnAttribute] as Attributes | undefined
  return turn === undefined ? undefined : { holder: String(turn['h']), until: Number(integer(turn, 'x')) }
}

export const producerAttribute = (id: string): string => `p${id}`
export const producerBaseAttribute = (id: string): string => `q${id}`

export function encodeProducer(state: Omit<ProducerState, 'base'>): ItemValue {
  return { e: state.epoch, s: state.sequence, n: state.count, c: BigInt(state.crc) }
}

function producersOf(attributes: Attributes): ReadonlyMap<string, ProducerState> {
  const producers = new Map<string, ProducerState>()
  for (const name of Object.keys(attributes)) {
    if (name.length < 2 || name[0] !== 'p') continue
    const id = name.slice(1)
    const fields = attributes[name] as Attributes
    producers.set(id, {
      epoch: integer(fields, 'e'),
      sequence: integer(fields, 's'),
      count: integer(fields, 'n'),
      crc: Number(integer(fields, 'c')),
      base: offsetOf(integer(attributes, producerBaseAttribute(id))),
    })
  }
  return producers
}

function integer(attributes: Attributes, name: string): bigint {
  const value = attributes[name]
  assert(typeof value === 'bigint', 'a head has its integer attributes', { name })
  return value
}
