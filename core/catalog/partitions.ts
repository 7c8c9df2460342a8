/**
 * Partitions of a table, found by name, decided by id. Created in one transaction with the count that bounds them; a drop is
 * marked here, and core/log/drop.ts closes the heads before the name is free. What a dropped partition's offsets had reached is
 * kept under its name, so that the next one begins there and no offset is ever used twice.
 */
import {
  decodeFloor,
  decodePartition,
  encodeFloor,
  encodePartition,
  floorKey,
  type KeptFloor,
  type LakeRows,
  type PartitionItem,
  partitionCountKey,
  partitionKey,
  partitionsOf,
} from '../format/items/partition.ts'
import { tableKey } from '../format/items/table.ts'
import { hex } from '../kernel/bytes.ts'
import { SluiceError } from '../kernel/errors.ts'
import { type Offset, offsetOf } from '../kernel/ids.ts'
import { limits } from '../kernel/limits.ts'
import { checkPeriod } from '../model/auto-partition.ts'
import { quoted } from '../model/nearest.ts'
import type { Partition } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import type { Condition, SetAction, TransactAction } from '../ports/items.ts'
import type { World } from '../ports/world.ts'
import type { Page } from './databases.ts'
import { findTable, isAlive, tableNotFound } from './tables.ts'

const createAttemptsMax = 8

/** Strongly read; also one that is being dropped. */
export async function findPartition(world: World, table: Table, name: string): Promise<PartitionItem | undefined> {
  const item = await world.items.get(partitionKey(table.tableId, name))
  return item === undefined ? undefined : decodePartition(item)
}

/** Errors: `not-found`. */
export async function getPartition(world: World, table: Table, name: string): Promise<PartitionItem> {
  const found = await findPartition(world, table, name)
  if (found === undefined || found.state === 'dropping') throw partitionNotFound(table, name)
  return found
}

export interface PartitionPage extends Page {
  /** The first name, itself included. */
  readonly from?: string
  /** Names that begin so. */
  readonly prefix?: string
}

/** In the order of their names; those that are being dropped too. */
export async function listPartitions(world: World, table: Table, page: PartitionPage): Promise<readonly PartitionItem[]> {
  const { limit, after, prefix = '' } = page
  const begin = after === undefined ? (page.from ?? '') : `${after}\u0000`
  const from = begin < prefix ? prefix : begin
  const items = await world.items.query({
    partition: partitionsOf(table.tableId),
    from,
    ...(prefix === '' ? {} : { to: `${prefix}\u{10ffff}` }),
    limit: Math.min(limit, limits.listLimitMax),
  })
  return items.map(decodePartition)
}

/**
 * `created: false`: it was there. Errors: `not-found` (the table), `conflict` (being dropped), `full` (as many as a table may have),
 * `invalid-name` (no period that the table keeps).
 * An ambiguous attempt is resolved by the id that it drew.
 */
export async function createPartition(
  world: World,
  table: Table,
  name: string,
): Promise<{ readonly partition: PartitionItem; readonly created: boolean }> {
  const drawn = new Set<string>()
  for (let attempt = 0; attempt < createAttemptsMax; attempt++) {
    const found = await findPartition(world, table, name)
    if (found?.state === 'alive') return { partition: found, created: drawn.has(found.id) }
    if (found !== undefined) throw beingDropped(table, name)
    checkPeriod(table, name, world.clock.now())
    const kept = await readFloor(world, table, name)
    // Its own each time: the one before may have been created and dropped since, and its heads are closed for ever.
    const id = hex(world.random.bytes(4))
    drawn.add(id)
    const floor = kept?.floor ?? offsetOf(0)
    const partition: PartitionItem = { id, name, state: 'alive', floor, createdAt: world.clock.now(), lakeRows: 'go' }
    const result = await world.items.transact(creation(table, partition, kept)) // COMMIT POINT
    if (result.done) return { partition, created: true }
    if (result.failed === 0) await assertTableAlive(world, table)
    else if (result.failed === 1) await assertRoom(world, table)
  }
  throw new SluiceError('unavailable', `partition ${quoted(name)} of ${nameOf(table)} is contended: try again`, {
    effect: 'none',
  })
}

/**
 * From here on no head is born in it. Repeatable: what the first said of the lake's rows holds, but for retention, which a drop by
 * hand goes before. Undefined: it is gone.
 */
export async function markPartitionDropping(
  world: World,
  table: Table,
  partition: PartitionItem,
  lakeRows: LakeRows,
): Promise<PartitionItem | undefined> {
  const k: SetAction = partition.lakeRows === 'first' && lakeRows !== 'first' ? { value: lakeRows } : { ifAbsent: lakeRows }

  const { done, item } = await world.items.update({
    key: partitionKey(table.tableId, partition.name),
    set: { x: { value: 'dropping' }, k },
    condition: { is: 'equal', path: 'i', value: partition.id },
  }) // COMMIT POINT
  return done ? decodePartition(item) : undefined
}

/** Frees the name. Only after every head is closed; `end`: the greatest end that a head had. */
export async function removePartition(world: World, table: Table, partition: Partition, end: Offset): Promise<void> {
  const { tableId } = table
  const { name, floor } = partition
  const reached = end > floor ? end : floor
  const same: Condition = { is: 'equal', path: 'i', value: partition.id }
  const kept = await world.items.get(floorKey(tableId, name))
  const drops = kept === undefined ? 1n : decodeFloor(kept).drops + 1n
  const keep: TransactAction =
    kept === undefined
      ? { create: encodeFloor(tableId, name, { floor: reached, drops }) }
      : { update: { key: floorKey(tableId, name), set: { f: { value: reached }, d: { value: drops } } } }
  await world.items.transact([
    { delete: partitionKey(tableId, name), condition: same },
    keep,
    { update: { key: partitionCountKey(tableId), set: { n: { plus: 'n', by: -1n } } } },
  ]) // COMMIT POINT: a refusal says that another caller was here
}

/** Holds while the very partition, not only its name, is alive. */
export const isPartitionAlive = (partition: Partition): Condition => ({
  is: 'and',
  all: [
    { is: 'equal', path: 'i', value: partition.id },
    { is: 'equal', path: 'x', value: 'alive' },
  ],
})

export const partitionNotFound = (table: Table, name: string): SluiceError =>
  new SluiceError('not-found', `partition ${quoted(name)} of ${nameOf(table)} does not exist`, { facts: { partition: name } })

function creation(table: Table, partition: PartitionItem, kept: KeptFloor | undefined): readonly TransactAction[] {
  const { tableId } = table
  return [
    { check: tableKey(table.database, table.name), condition: isAlive(table) },
    {
      update: {
        key: partitionCountKey(tableId),
        set: { n: { plus: 'n', by: 1n } },
        condition: { is: 'less', path: 'n', value: BigInt(limits.partitionsMax) },
      },
    },
    { create: encodePartition(tableId, partition) },
    // Another one of this name, or this very one, may have come and gone since its floor was read.
    { check: floorKey(tableId, partition.name), condition: kept === undefined ? { is: 'absent', path: 'f' } : isAsKept(kept) },
  ]
}

const isAsKept = ({ floor, drops }: KeptFloor): Condition => ({
  is: 'and',
  all: [
    { is: 'equal', path: 'f', value: floor },
    drops === 0n ? { is: 'absent', path: 'd' } : { is: 'equal', path: 'd', value: drops },
  ],
})

async function readFloor(world: World, table: Table, name: string): Promise<KeptFloor | undefined> {
  const item = await world.items.get(floorKey(table.tableId, name))
  return item === undefined ? undefined : decodeFloor(item)
}

async function assertTableAlive(world: World, table: Table): Promise<void> {
  const found = await findTable(world, table.database, table.name)
  if (found?.tableId !== table.tableId || found.state !== 'alive') throw tableNotFound(table.database, table.name)
}

async function assertRoom(world: World, table: Table): Promise<void> {
  const item = await world.items.get(partitionCountKey(table.tableId))
  const count = item?.attributes['n'] ?? 0n
  if (typeof count === 'bigint' && count < BigInt(limits.partitionsMax)) return
  throw new SluiceError(
    'full',
    `${nameOf(table)} has ${limits.partitionsMax} partitions, as many as a table may have: drop some`,
    {
      effect: 'none',
      facts: { partitionsMax: limits.partitionsMax },
    },
  )
}

const beingDropped = (table: Table, name: string): SluiceError =>
  new SluiceError('conflict', `partition ${quoted(name)} of ${nameOf(table)} is being dropped: try again when it is gone`, {
    action: 'retry',
    effect: 'none',
    facts: { partition: name },
  })

const nameOf = ({ database, name }: Table): string => `${database}.${name}`
