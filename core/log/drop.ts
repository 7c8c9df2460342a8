/**
 * Drop: mark the table (no head is born from here on) → close every head and the lake → free the name → only then say gone.
 * A purge mark is put first, so that a drop that dies is finished and what it left behind is removed a day later. A mark whose
 * drop was refused finds the table alive, and goes.
 */
import {
  getDatabase,
  isDatabaseEmpty,
  listNames,
  markDatabaseDropping,
  removeDatabase,
  reviveDatabase,
} from '../catalog/databases.ts'
import { findPartition, markPartitionDropping, partitionNotFound, removePartition } from '../catalog/partitions.ts'
import { findTable, markTableDropping, removeTable, tableNotFound } from '../catalog/tables.ts'
import { decodeHead, headKey } from '../format/items/head.ts'
import { lakeItemKey } from '../format/items/lake.ts'
import type { LakeRows, PartitionItem } from '../format/items/partition.ts'
import { type Points, pointAt } from '../format/items/points.ts'
import { tablePartition } from '../format/items/table.ts'
import { putMark } from '../jobs/marks.ts'
import { isSluiceError, SluiceError } from '../kernel/errors.ts'
import { type Offset, offsetOf } from '../kernel/ids.ts'
import { limits } from '../kernel/limits.ts'
import { checkDrop, dropFromLake } from '../lake/drop-partition.ts'
import { readLakeItem } from '../lake/item.ts'
import { currentPoints } from '../lake/points.ts'
import { type BucketId, idOf, type Partition } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import type { Condition } from '../ports/items.ts'
import type { World } from '../ports/world.ts'
import { named } from './append/mark-keeper.ts'
import { partitionsOf } from './buckets.ts'
import { markCollect } from './keep/lake-mark.ts'

/** `closing`: heads are still being closed; repeat it. */
export type Dropped = 'gone' | 'closing'

const closesAtOnce = 64
/** A drop answers within this time, done or not, ms. */
const dropMs = 20_000

/** Errors: `not-found`. Repeatable until `gone`. */
export async function dropTable(world: World, database: string, name: string): Promise<Dropped> {
  const table = await findTable(world, database, name)
  if (table === undefined) throw tableNotFound(database, name)
  const due = await markPurge(world, table)
  const dropped = await finishDrop(world, table, world.clock.now() + dropMs)
  // Whoever slept in between may have lost the mark to a purge that found the table alive.
  if (world.clock.now() >= due) await markPurge(world, table)
  return dropped
}

/** Errors: `not-found`, `not-empty` (without `cascade`). Repeatable until `gone`. */
export async function dropDatabase(world: World, name: string, { cascade }: { readonly cascade: boolean }): Promise<Dropped> {
  const until = world.clock.now() + dropMs
  // The mark stops every create in the database, so a drop that is to be refused must not leave one, even for a moment.
  if (!cascade && !(await isDatabaseEmpty(world, name))) {
    await getDatabase(world, name)
    throw notEmpty(name)
  }
  await markDatabaseDropping(world, name)
  return begun(() => emptyDatabase(world, name, { cascade, until }))
}

async function emptyDatabase(
  world: World,
  name: string,
  { cascade, until }: { readonly cascade: boolean; readonly until: number },
): Promise<Dropped> {
  for (;;) {
    const { names } = await listNames(world, tablePartition(name), { limit: limits.listLimitMax })
    if (names.length === 0) return (await removeDatabase(world, name)) ? 'gone' : 'closing'
    if (!cascade) {
      // A create was faster than the mark.
      await reviveDatabase(world, name)
      throw notEmpty(name)
    }
    for (const table of names) {
      if (world.clock.now() > until) return 'closing'
      const dropped = await dropTable(world, name, table).catch((error: unknown) => {
        if (isSluiceError(error, 'not-found')) return 'gone'
        throw error
      })
      if (dropped === 'closing') return 'closing'
    }
  }
}

const notEmpty = (name: string): SluiceError =>
  new SluiceError('not-empty', `database ${name} has tables: drop them first, or pass ?cascade=true`, {
    facts: { database: name },
  })

async function markPurge(world: World, table: Table, partition?: Partition): Promise<number> {
  const due = world.clock.now() + limits.orphanAgeMs
  const of = partition === undefined ? {} : { partition: { id: partition.id, name: partition.name } }
  await putMark(world, { kind: 'purge', ...named(table), ...of, due })
  return due
}

/** Also the first half of a purge: whatever the drop left undone is done. */
export async function finishDrop(world: World, table: Table, until: number): Promise<Dropped> {
  if (!(await markTableDropping(world, table))) return 'gone'
  return begun(async () => {
    for await (const partition of partitionsOf(world, table))
      if ((await closeHeads(world, table, partition, until)) === 'closing') return 'closing'
    await closeLake(world, table)
    await removeTable(world, table)
    return 'gone'
  })
}

/**
 * Mark the partition (no head is born in it from here on) → close its heads → unless the lake keeps them, take its rows out of the
 * lake → keep what the heads reached, free the name. Rows that are not in the lake by then go with the log, but in a drop by
 * retention, which closes a head only at its tier point; until then rows come into it and the tier follows. Errors: `not-found`.
 * Repeatable until `gone`.
 */
export async function dropPartition(world: World, table: Table, name: string, lakeRows: LakeRows = 'go'): Promise<Dropped> {
  const partition = await findPartition(world, table, name)
  if (partition === undefined) throw partitionNotFound(table, name)
  if (lakeRows === 'go' && partition.state === 'alive') await checkDrop(world, table, partition)
  // Retention repeats its drops by a mark of its own.
  const isRepeated = lakeRows === 'first' && partition.state === 'dropping'
  const due = isRepeated ? Number.POSITIVE_INFINITY : await markPurge(world, table, partition)
  const dropped = await finishPartitionDrop(world, table, partition, { lakeRows, until: world.clock.now() + dropMs })
  if (world.clock.now() >= due) await markPurge(world, table, partition)
  return dropped
}

export async function finishPartitionDrop(
  world: World,
  table: Table,
  partition: PartitionItem,
  { lakeRows, until }: { readonly lakeRows: LakeRows; readonly until: number },
): Promise<Dropped> {
  const marked = await markPartitionDropping(world, table, partition, lakeRows)
  if (marked === undefined) return 'gone'
  return begun(async () => {
    const tiered = marked.lakeRows === 'first' ? await currentPoints(world, table.tableId) : undefined
    const end = await closeHeads(world, table, partition, until, tiered?.points)
    if (end === 'closing') return 'closing'
    // Also those of earlier partitions of its name.
    const hadRows = end > 0n
    if (marked.lakeRows === 'go' && (await emptyLake(world, table, partition, { until, hadRows })) === 'closing') return 'closing'
    await removePartition(world, table, partition, end)
    return 'gone'
  })
}

/** A worker that is at the lake gets some time to finish its round; then it is fenced, and begins again without this partition. */
async function emptyLake(
  world: World,
  table: Table,
  partition: Partition,
  { until, hadRows }: { readonly until: number; readonly hadRows: boolean },
): Promise<Dropped> {
  if (table.options.lakeFormat === 'none') return 'gone'
  const look = async (): Promise<Table | undefined> => {
    const now = await findTable(world, table.database, table.name)
    const found = await findPartition(world, table, partition.name)
    return now?.tableId === table.tableId && found?.id === partition.id ? now : undefined
  }
  const patientUntil = Math.min(until, world.clock.now() + dropMs) - dropMs / 2
  for (;;) {
    const seen = await readLakeItem(world.items, table.tableId)
    if (seen === undefined || !seen.open) return 'gone'
    const collectDue = await markCollect(world, named(table), seen)
    const isPatient = world.clock.now() < patientUntil
    const turn = { seen, collectDue, isPatient, hadRows, look }
    if ((await dropFromLake(world, table.tableId, partition, turn)) === 'gone') return 'gone'
    if (world.clock.now() > until) return 'closing'
    await world.clock.sleep(lakePollMs)
  }
}

const lakePollMs = 500

/** The greatest end that a head of the partition had. `tiered`: only heads whose rows are all in the lake are closed. */
async function closeHeads(
  world: World,
  table: Table,
  partition: Partition,
  until: number,
  tiered?: Points,
): Promise<Offset | 'closing'> {
  let end: bigint = partition.floor
  for (let from = 0; from < table.buckets.count; from += closesAtOnce) {
    if (world.clock.now() > until) return 'closing'
    const wave = Array.from({ length: Math.min(closesAtOnce, table.buckets.count - from) }, (_, index) => from + index)
    const ends = await Promise.all(
      wave.map((bucket) => {
        const at = idOf({ partition, bucket })
        return closeHead(world, table.tableId, at, tiered && (pointAt(tiered, at)?.offset ?? partition.floor))
      }),
    )
    if (ends.includes('open')) return 'closing'
    for (const one of ends) if (one !== 'open' && one > end) end = one
  }
  return offsetOf(end)
}

/** Once the mark stands, a failure is not without effect, whatever the store says of its own call. */
async function begun<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isSluiceError(error) || error.effect !== 'none' || error.code === 'not-empty') throw error
    const { code, message, action, facts } = error
    throw new SluiceError(code, `the drop has begun, repeat it: ${message}`, { effect: 'partial', action, facts, cause: error })
  }
}

/** Its end. A head that was never born needs no closing: births are refused since the mark. `onlyAt`: it stays open at another end. */
async function closeHead(world: World, tableId: string, at: BucketId, onlyAt?: Offset): Promise<bigint | 'open'> {
  const isOpen: Condition = { is: 'equal', path: 'o', value: 1n }
  const isThere: Condition = { is: 'and', all: [isOpen, { is: 'equal', path: 'e', value: onlyAt ?? 0n }] }
  const condition = onlyAt === undefined ? isOpen : isThere
  const { done, item } = await world.items.update({ key: headKey(tableId, at), set: { o: { value: 0n } }, condition })
  const head = item && decodeHead(item)
  return !done && head?.open === true ? 'open' : (head?.end ?? 0n)
}

async function closeLake(world: World, table: Table): Promise<void> {
  if (table.options.lakeFormat === 'none') return
  await world.items.update({
    key: lakeItemKey(table.tableId),
    set: { open: { value: false } },
    condition: { is: 'equal', path: 'open', value: true },
  })
}
