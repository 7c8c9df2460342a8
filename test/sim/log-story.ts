/**
 * The story of a log table and its lake: the actors work under faults, the faults stop, all that was accepted comes to an end within a
 * stated bound, and the history is judged.
 */
import { createDatabase } from '../../core/catalog/databases.ts'
import { decodeHead, headKey, newHead } from '../../core/format/items/head.ts'
import { decodeTable, tableKey } from '../../core/format/items/table.ts'
import { labelOf, type Offset, offsetOf } from '../../core/kernel/ids.ts'
import { isEngineKey } from '../../core/lake/engine.case.ts'
import type { JobKind } from '../../core/ports/queue.ts'
import { alterSome } from './actors/alterer.ts'
import { createUntilThere, dropAndCreate, dropUntilGone } from './actors/dropper.ts'
import { Engines } from './actors/engine.ts'
import { fetchOnce, follow } from './actors/fetcher.ts'
import { commitForeign } from './actors/foreign.ts'
import { startWorkers, sweepOnce, trigger } from './actors/jobs.ts'
import { produceWithId, produceWithoutId } from './actors/producer.ts'
import { TableReader } from './actors/table-reader.ts'
import { checkExternal, laggingThere } from './checks/external.ts'
import { checkLake, isPublished, keptReferences, lagging, lakeSchemaId } from './checks/lake.ts'
import { checkDropped, checkLog } from './checks/log.ts'
import type { SeededFates } from './fates.ts'
import { Process } from './process.ts'
import { type BucketLog, bucketReferences, readBucket, storedKeys } from './reader.ts'
import { schemaOf } from './rows.ts'
import { databaseName, type Stage, tableName } from './stage.ts'

/** Faults stop at the latest then, the longer where objects have to grow old. */
const faultyMsMax = { collect: 72 * 3_600_000, other: 6 * 3_600_000 }
/** All that was accepted is finished so long after the faults stopped (G12). */
const calmMsMax = 2 * 3_600_000
/** The lake follows its log so long after its freshness: a lease, a visibility time, sweeps. */
const tierBoundMs = 30 * 60_000
/** A window of marks, their grid, clocks that differ, sweeps and a worker that died. */
const retainBoundMs = 60 * 60_000
/** A lease, on the slowest clock. */
const leaseMsMax = 60_000 + 2 * 150_000
/** The largest backlog that a seed draws takes a worker 35 seconds, read entry by entry; a livelock never ends. */
const stormMs = 120_000
/** A collect mark is due 36 hours after its window began; a purge may have to come twice, a day apart. */
const orphanBoundMs = 80 * 3_600_000

export async function tellLog(stage: Stage, fates: SeededFates): Promise<void> {
  const { swarm, cluster, scheduler, history, calm, random } = stage
  await setUp(stage)
  startWorkers(stage)
  fates.rates = swarm.rates
  if (swarm.unreadableLake) fates.unreadable = 'lake/'
  stage.stores.queue.duplicates = random.pick([0, 0, 0.2])
  const working = { yes: true }
  const actors = [
    ...Array.from({ length: swarm.producers }, (_, i) => produceWithId(stage, `p${i}`)),
    ...Array.from({ length: swarm.keylessProducers }, () => produceWithoutId(stage)),
    dropAndCreate(stage),
    alterSome(stage),
  ]
  const acted = Promise.all(actors).then(() => {
    working.yes = false
  })
  const readers = Array.from({ length: swarm.tableReaders }, () => new TableReader(stage))
  const engines = new Engines(stage)
  const others = [
    ...readers.map((reader) => reader.follow(() => !working.yes)),
    ...Array.from({ length: swarm.fetchers }, () => follow(stage, random.below(swarm.buckets), () => !working.yes)),
    sweepWhile(stage, () => working.yes),
    ...Array.from({ length: swarm.engines }, (_, i) => engines.work(`engine.${i}`, () => working.yes)),
    commitForeign(stage, () => working.yes),
    triggerWhile(stage, 'tier', swarm.extraTierJobs, () => working.yes),
    triggerWhile(stage, 'collect', swarm.extraCollects, () => working.yes),
    triggerWhile(stage, 'retain', swarm.extraRetains, () => working.yes),
    triggerWhile(stage, 'compact', swarm.extraCompactions, () => working.yes),
  ]
  await Promise.race([acted, cluster.sleep(swarm.collect ? faultyMsMax.collect : faultyMsMax.other)])
  fates.stop()
  fates.unreadable = ''
  calm.yes = true
  stage.stores.queue.duplicates = 0
  Object.assign(cluster.options, { duplicateRate: 0, idleFreezeRate: 0, idleKillRate: 0 })
  cluster.settle(random.pick([0, 0.5, 1]))
  void createAgain(stage, () => working.yes)
  const calmFrom = scheduler.now
  const bound = cluster.sleep(calmMsMax).then(() => 'late' as const)
  const finished = await Promise.race([Promise.all([acted, ...others]).then(() => 'in time' as const), bound])
  if (finished === 'late') {
    history.break(
      'G12',
      'live',
      `work of ${working.yes ? 'producers' : 'others'} is not finished ${scheduler.now - calmFrom} ms after the faults stopped`,
    )
    return
  }
  await readAll(stage)
  for (const reader of readers) await reader.finish()
  if (swarm.lake) await tierAll(stage)
  if (swarm.retain) await retainAll(stage)
  if (swarm.collect || swarm.drops > 0) await collectAll(stage)
  judge(stage, readers, engines)
}

/** Without faults: a database, a table, in some runs heads whose offsets are near a power of two. */
async function setUp(stage: Stage): Promise<void> {
  const { swarm, cluster } = stage
  await cluster.invoke({
    role: 'admin',
    name: 'set up',
    timeoutMs: 60_000,
    repeatable: false,
    run: ({ world }) => createDatabase(world, databaseName),
  })
  await createUntilThere(stage)
  const tableId = stage.tables[0]?.tableId
  if (tableId === undefined) throw new Error('the table was not created')
  if (swarm.floor === 0n) return
  const setter = new Process('set-up', stage.scheduler, 0)
  for (let bucket = 0; bucket < swarm.buckets; bucket++) {
    const head = newHead(tableId, { partition: '', bucket }, { gc: labelOf(0), floor: offsetOf(swarm.floor) })
    stage.stores.items.create(head, setter)
  }
}

/** A drop that comes late takes the newest table, or dies on the way: who misses it makes it again, else its producers would ask for ever. */
async function createAgain(stage: Stage, isWorking: () => boolean): Promise<void> {
  while (stage.swarm.drops > 0 && isWorking()) {
    await stage.cluster.sleep(60_000)
    const item = stage.stores.items.get(tableKey(databaseName, tableName), 'plain')
    if (!isWorking() || (item !== undefined && decodeTable(item).state === 'alive')) continue
    await dropUntilGone(stage)
    await createUntilThere(stage)
  }
}

async function sweepWhile(stage: Stage, isWorking: () => boolean): Promise<void> {
  const { swarm, cluster, random } = stage
  while (isWorking() && (swarm.lake || swarm.collect || swarm.retain || swarm.drops > 0 || swarm.extraCompactions > 0)) {
    await cluster.sleep(random.magnitude(10_000, swarm.sweepMsMax))
    await sweepOnce(stage)
  }
}

async function triggerWhile(stage: Stage, kind: JobKind, count: number, isWorking: () => boolean): Promise<void> {
  for (let i = 0; i < count && isWorking(); i++) {
    await stage.cluster.sleep(stage.random.magnitude(10, Math.max(1_000, 4 * stage.swarm.thinkMs)))
    trigger(stage, kind)
  }
}

async function readAll(stage: Stage): Promise<void> {
  for (let bucket = 0; bucket < stage.swarm.buckets; bucket++) {
    const cursors = new Map<string, Offset>()
    for (let i = 0; i < 3; i++) await fetchOnce(stage, bucket, cursors)
  }
}

/** What is in the log is in the lake within its freshness and a bound, with no trigger but the sweep. */
async function tierAll(stage: Stage): Promise<void> {
  const { cluster, swarm, scheduler, history } = stage
  if (swarm.storm && !(await storm(stage))) return
  const until = scheduler.now + swarm.lakeFreshnessMs + tierBoundMs
  for (;;) {
    const behind = behindInLake(stage)
    if (behind.length === 0 && !areColumnsBehind(stage)) return
    if (scheduler.now > until) {
      return history.break(
        'G12',
        'live',
        `the lake is behind in ${behind.length === 0 ? 'its columns' : `buckets ${behind.join(', ')}`} at ${tierBoundMs} ms past its freshness`,
      )
    }
    await cluster.sleep(60_000)
    await sweepOnce(stage)
  }
}

/** Triggers come faster than a round takes; even so the lake catches up, once no dead worker holds a lease. */
async function storm(stage: Stage): Promise<boolean> {
  await stage.cluster.sleep(leaseMsMax)
  const end = stage.scheduler.now + stormMs
  for (let i = 0; stage.scheduler.now < end; i++) {
    if (i % 10 === 0 && behindInLake(stage).length === 0) return true
    trigger(stage, 'tier')
    await stage.cluster.sleep(stage.random.between(5, 25))
  }
  stage.history.break(
    'G12',
    'live',
    `the lake is behind in buckets ${behindInLake(stage).join(', ')} after ${stormMs} ms of triggers`,
  )
  return false
}

/** Columns that changed reach the lake too, whether rows come or not. An external catalog numbers schemas by itself. */
function areColumnsBehind({ stores, swarm, tables, history }: Stage): boolean {
  const tableId = tables.at(-1)?.tableId ?? ''
  const item = stores.items.get(tableKey(databaseName, tableName), 'plain')
  if (swarm.external || history.drops.has(tableId) || item === undefined) return false
  const id = lakeSchemaId(stores, tableId)
  return id !== undefined && id !== decodeTable(item).schema.schemaId
}

function behindInLake({ stores, swarm, tables, history }: Stage): readonly number[] {
  const tableId = tables.at(-1)?.tableId ?? ''
  // a drop that came late has taken the last one too
  if (history.drops.has(tableId)) return []
  const ends = new Map<number, bigint>()
  for (let bucket = 0; bucket < swarm.buckets; bucket++) {
    const item = stores.items.get(headKey(tableId, { partition: '', bucket }), 'plain')
    const head = item === undefined ? undefined : decodeHead(item)
    if (head !== undefined && head.end > head.start) ends.set(bucket, head.end)
  }
  return swarm.external ? laggingThere(stores, ends) : lagging(stores, tableId, ends)
}

/** What was spilled leaves once it is too old, with no trigger but the sweep. */
async function retainAll(stage: Stage): Promise<void> {
  const { cluster, swarm, scheduler, stores, history, tables } = stage
  const tableId = tables.at(-1)?.tableId ?? ''
  const until = scheduler.now + (swarm.logTtlAfterTierMs ?? swarm.logTtlMs) + retainBoundMs
  for (;;) {
    const heads = Array.from({ length: swarm.buckets }, (_, bucket) =>
      stores.items.get(headKey(tableId, { partition: '', bucket }), 'plain'),
    )
    const late = heads.flatMap((item) => (item === undefined ? [] : [decodeHead(item)])).filter((head) => head.start < head.base)
    if (late.length === 0) return
    if (scheduler.now > until)
      return history.break('G12', 'live', `rows of ${late.length} buckets are there ${retainBoundMs} ms past their time to live`)
    await cluster.sleep(60_000)
    await sweepOnce(stage)
  }
}

/** Orphans are deleted within the stated time, with no trigger but the sweep; so is what a drop left. */
async function collectAll(stage: Stage): Promise<void> {
  const { cluster, scheduler, stores, history } = stage
  const until = scheduler.now + orphanBoundMs
  for (;;) {
    const orphans = orphansOf(stage)
    if (orphans.length === 0) return
    if (scheduler.now > until)
      return history.break(
        'G10',
        'orphans',
        `${orphans.length} orphans are left after ${orphanBoundMs} ms: ${orphans.slice(0, 3).join(', ')}`,
      )
    await cluster.sleep(2 * 3_600_000)
    await sweepOnce(stage)
  }

  /** Objects that nothing refers to, and everything of tables that are gone. */
  function orphansOf({ tables }: Stage): readonly string[] {
    const kept = new Set<string>()
    for (const { tableId, buckets } of tables) {
      if (history.drops.has(tableId)) continue
      for (let bucket = 0; bucket < buckets; bucket++) for (const key of bucketReferences(stores, tableId, bucket)) kept.add(key)
      for (const key of keptReferences(stores, tableId)) kept.add(key)
    }
    const isDropped = (key: string): boolean => [...history.drops.keys()].some((id) => key.includes(id))
    const isOthers = (key: string): boolean => isPublished(key) || isEngineKey(key)
    return storedKeys(stores).filter((key) => !kept.has(key) && (!isOthers(key) || isDropped(key)))
  }
}

function judge(stage: Stage, readers: readonly TableReader[], engines: Engines): void {
  const { stores, history, swarm } = stage
  for (const { tableId, buckets } of stage.tables) {
    if (history.drops.has(tableId)) {
      checkDropped(history, tableId)
      continue
    }
    const logs: BucketLog[] = []
    for (let bucket = 0; bucket < buckets; bucket++) {
      const log = readBucket(stores, tableId, bucket, schemaOf(swarm), history.retired.get(`${tableId}#${bucket}`))
      if (log !== undefined) logs.push(log)
    }
    checkLog(history, tableId, logs)
    for (const reader of readers) reader.check(tableId, logs)
    if (swarm.external) checkExternal(history, stores, tableId, logs)
    else checkLake(history, stores, tableId, logs)
    engines.check(tableId)
  }
}
