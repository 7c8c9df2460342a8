/**
 * The story of a table with partitions: rows make them, others drop them, rows make them again, readers follow the whole table by
 * cursor, and in some runs workers bring the rows into a lake. Judged: an offset of a name means one row for ever, whatever was dropped between; a reader meets every row of the partitions
 * that there are, from their first, once, in order; what was acked into a partition that is there is in it.
 */
import { createDatabase } from '../../core/catalog/databases.ts'
import { listPartitions } from '../../core/catalog/partitions.ts'
import { createTable, getTable } from '../../core/catalog/tables.ts'
import { defaultOptions, type TableOptions } from '../../core/model/options.ts'
import type { Partition } from '../../core/model/partition.ts'
import type { TableSpec } from '../../core/model/table.ts'
import { alterSome } from './actors/alterer.ts'
import { commitForeign } from './actors/foreign.ts'
import { startWorkers, sweepOnce, trigger } from './actors/jobs.ts'
import { PartitionReader } from './actors/partition-reader.ts'
import { dropSome, type Partitioned, produce } from './actors/partition-writers.ts'
import { catalogName } from './catalog.ts'
import { PartitionLake } from './checks/partition-lake.ts'
import type { SeededFates } from './fates.ts'
import { alterPeriods, periodOptions, settlePeriods, someHour, watchPeriods } from './periods.ts'
import { databaseName, type Stage, tableName } from './stage.ts'

const names = ['p=a', 'p=b', 'p=c', 'p=d'] as const
const faultyMsMax = 6 * 3_600_000

export async function tellPartitions(stage: Stage, fates: SeededFates): Promise<void> {
  const { swarm, cluster, random } = stage
  const isTimed = swarm.scenario === 'periods'
  const shared: Partitioned = {
    stage,
    acked: [],
    values: new Map(),
    byHand: new Set(),
    pickName: isTimed ? () => someHour(stage) : () => random.pick(names),
  }
  const { lakeFreshnessMs } = swarm
  const lakeOptions = swarm.lake
    ? {
        lakeFormat: 'iceberg' as const,
        lakeFreshnessMs,
        ...(swarm.formatVersion === 3 && { lakeFormatVersion: 3 as const }),
        ...(swarm.external && { lakeCatalog: { name: catalogName } }),
      }
    : {}
  const options = { ...(isTimed ? periodOptions(stage) : defaultOptions), ...lakeOptions }
  if (isTimed) watchPeriods(stage, options.autoPartition?.timeZone ?? 'UTC', shared.byHand)
  await cluster.invoke({
    role: 'admin',
    name: 'set up',
    timeoutMs: 60_000,
    repeatable: false,
    run: ({ world }) => setUp(world, spec(swarm.buckets, options)),
  })
  const lake = new PartitionLake(stage)
  startWorkers(stage)
  fates.rates = swarm.rates
  let isWorking = true
  const producers = Math.max(1, swarm.producers)
  const acting = Promise.all([
    ...Array.from({ length: producers }, (_, i) => produce(shared, `p${i}`)),
    dropSome(shared),
    isTimed ? alterPeriods(stage) : alterSome(stage),
  ]).then(() => {
    isWorking = false
  })
  const readers = Array.from({ length: 1 + swarm.tableReaders }, () => new PartitionReader(shared))
  const reading = Promise.all(readers.map((reader) => reader.follow(() => !isWorking)))
  const sweeping = Promise.all([sweepWhile(stage, () => isWorking), tierSome(stage), commitForeign(stage, () => isWorking)])
  await Promise.race([acting, cluster.sleep(faultyMsMax)])
  fates.stop()
  stage.calm.yes = true
  Object.assign(cluster.options, { duplicateRate: 0, idleFreezeRate: 0, idleKillRate: 0 })
  cluster.settle(random.pick([0, 0.5, 1]))
  await acting
  await reading
  await sweeping
  if (isTimed) await settlePeriods(stage)
  // the kept list of partitions grows too old in every process, on any clock
  await cluster.sleep(600_000)
  for (const reader of readers) await reader.finish()
  const there = await cluster.invoke({
    role: 'admin',
    name: 'list',
    timeoutMs: 60_000,
    repeatable: false,
    run: ({ world }) => alive(world),
  })
  if (there.is !== 'answer') return stage.history.break('harness', 'error', 'the partitions cannot be listed without faults')
  for (const reader of readers) reader.check(there.value)
  checkAcked(shared, there.value)
  if (swarm.lake) await tierAll(stage, lake, there.value)
}

/** Jobs that no mark asked for. */
async function tierSome(stage: Stage): Promise<void> {
  for (let i = 0; i < stage.swarm.extraTierJobs; i++) {
    await stage.cluster.sleep(stage.random.magnitude(10, Math.max(1_000, 4 * stage.swarm.thinkMs)))
    trigger(stage, 'tier')
  }
}

/** A lease, a visibility time, sweeps, a drop that held the lake. */
const tierBoundMs = 45 * 60_000

/** The partitions that are there come into the lake, with no trigger but the sweep. */
async function tierAll(stage: Stage, lake: PartitionLake, partitions: readonly Partition[]): Promise<void> {
  const until = stage.scheduler.now + stage.swarm.lakeFreshnessMs + tierBoundMs
  for (;;) {
    const behind = lake.behind(partitions)
    if (behind.length === 0) return lake.check(partitions)
    if (stage.scheduler.now > until)
      return stage.history.break(
        'G12',
        'live',
        `the lake is behind in ${behind.join(', ')} at ${tierBoundMs} ms past its freshness`,
      )
    await stage.cluster.sleep(60_000)
    await sweepOnce(stage)
  }
}

/** Finishes drops that nobody repeats. */
async function sweepWhile(stage: Stage, isWorking: () => boolean): Promise<void> {
  while (isWorking()) {
    await stage.cluster.sleep(stage.random.magnitude(10_000, stage.swarm.sweepMsMax))
    await sweepOnce(stage)
  }
}

const spec = (buckets: number, options: TableOptions): TableSpec => ({
  columns: [
    { name: 'v', type: { kind: 'bigint' }, nullable: false },
    { name: 's', type: { kind: 'string' }, nullable: true },
    { name: 'p', type: { kind: 'string' }, nullable: false },
  ],
  partitionBy: ['p'],
  buckets: { count: buckets },
  options,
})

type World = Parameters<typeof createTable>[0]

async function setUp(world: World, wanted: TableSpec): Promise<void> {
  await createDatabase(world, databaseName)
  await createTable(world, databaseName, tableName, wanted)
}

async function alive(world: World): Promise<readonly Partition[]> {
  const table = await getTable(world, databaseName, tableName)
  return (await listPartitions(world, table, { limit: 1_000 })).filter(({ state }) => state === 'alive')
}

/** Offsets below a partition's first are those of one that was dropped. */
function checkAcked({ stage, acked, values }: Partitioned, partitions: readonly Partition[]): void {
  const floors = new Map(partitions.map(({ name, floor }) => [name, floor] as const))
  for (const { name, bucket, base, values: sent } of acked) {
    const floor = floors.get(name)
    if (floor === undefined || base < floor) continue
    const seen = values.get(`${name}#${bucket}`)
    const isThere = sent.every((value, i) => seen?.get(base + BigInt(i)) === value)
    if (!isThere)
      stage.history.break('G1', 'acked', `${sent.length} rows were acked at ${base} of ${name}#${bucket} and are not there`)
  }
}
