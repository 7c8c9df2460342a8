/**
 * A partition's items. Alive or being dropped: partition `p/<tableId>`, sort `<name>`: i id · x state · f floor · c created, ms ·
 * k what becomes of its rows in the lake, once it is being dropped.
 * After a drop: partition `pf/<tableId>`, sort `<name>`: f, where the offsets of the next partition of that name begin · d, how many
 * of that name were dropped.
 * How many there are: partition `pn/<tableId>`, sort `n`: n.
 */
import { assert } from '../../kernel/assert.ts'
import { type Offset, offsetOf } from '../../kernel/ids.ts'
import type { Partition } from '../../model/partition.ts'
import type { Item, ItemKey } from '../../ports/items.ts'

export interface PartitionItem extends Partition {
  readonly state: 'alive' | 'dropping'
  /** ms since 1970 */
  readonly createdAt: number
  /** Of one that is being dropped. */
  readonly lakeRows: LakeRows
}

/**
 * What a drop does with rows in the lake. `go`: they go too · `stay`: those that are there stay · `first`: all of them come into it
 * before they leave the log, and stay.
 */
export type LakeRows = 'go' | 'stay' | 'first'

export const partitionsOf = (tableId: string): string => `p/${tableId}`
export const partitionKey = (tableId: string, name: string): ItemKey => ({ partition: partitionsOf(tableId), sort: name })
export const floorsOf = (tableId: string): string => `pf/${tableId}`
export const floorKey = (tableId: string, name: string): ItemKey => ({ partition: floorsOf(tableId), sort: name })
export const partitionCountKey = (tableId: string): ItemKey => ({ partition: `pn/${tableId}`, sort: 'n' })

export function encodePartition(tableId: string, partition: PartitionItem): Item {
  const { id, name, state, floor, createdAt, lakeRows } = partition
  const attributes = { i: id, x: state, f: floor, c: BigInt(createdAt), ...(state === 'dropping' && { k: lakeRows }) }
  return { key: partitionKey(tableId, name), attributes }
}

export function decodePartition(item: Item): PartitionItem {
  const { i, x, f, c, k } = item.attributes
  assert(
    typeof i === 'string' && (x === 'alive' || x === 'dropping') && typeof f === 'bigint' && typeof c === 'bigint',
    'a partition item is whole',
    { key: item.key },
  )
  return {
    id: i,
    name: item.key.sort,
    state: x,
    floor: offsetOf(f),
    createdAt: Number(c),
    lakeRows: k === 'stay' || k === 'first' ? k : 'go',
  }
}

export interface KeptFloor {
  readonly floor: Offset
  /** 0: written before they were counted. */
  readonly drops: bigint
}

export const encodeFloor = (tableId: string, name: string, { floor, drops }: KeptFloor): Item => ({
  key: floorKey(tableId, name),
  attributes: { f: floor, d: drops },
})

export function decodeFloor(item: Item): KeptFloor {
  const { f, d = 0n } = item.attributes
  assert(typeof f === 'bigint' && typeof d === 'bigint', 'the floor of a dropped partition is whole', { key: item.key })
  return { floor: offsetOf(f), drops: d }
}

export const newPartitionCount = (tableId: string): Item => ({ key: partitionCountKey(tableId), attributes: { n: 0n } })
