/**
 * One run: a swarm is drawn from the seed, the actors work under faults, the faults stop, everything must come to an
 * end within a stated bound, and the history is judged.
 */
import { createDatabase } from '../../core/catalog/databases.ts'
import { createTable, getTable } from '../../core/catalog/tables.ts'
import { headKey, newHead } from '../../core/format/items/head.ts'
import { labelOf } from '../../core/kernel/ids.ts'
import type { Table } from '../../core/model/table.ts'
import { fetchOnce, follow } from './actors/fetcher.ts'
import { produceWithId, produceWithoutId } from './actors/producer.ts'
import { checkLog } from './checks/log.ts'
import { watch } from './checks/watch.ts'
import { Cluster, type Environment } from './cluster.ts'
import { noFaults, SeededFates } from './fates.ts'
import { type Broken, History } from './history.ts'
import { ItemsState } from './items.ts'
import { SimulatedNetwork } from './network.ts'
import { ObjectsState } from './objects.ts'
import { Process } from './process.ts'
import { buildProduct, type Stores } from './product.ts'
import { QueueState } from './queue.ts'
import { Seeded } from './random.ts'
import { type BucketLog, readBucket } from './reader.ts'
import { specOf } from './rows.ts'
import { type RunEnd, SeededScheduler } from './scheduler.ts'
import { databaseName, type Stage, startMs, tableName } from './stage.ts'
import { drawSwarm, type ScenarioName, type Swarm } from './swarm.ts'
import { Trace } from './trace.ts'

export interface RunResult {
  readonly seed: number
  readonly scenario: ScenarioName
  readonly broken: readonly Broken[]
  readonly trace: Trace
  readonly swarm: Swarm
  readonly steps: number
  readonly virtualMs: number
  readonly rows: number
}

/** Faults stop at the latest then. */
const faultyMsMax = 72 * 3_600_000
/** All that was accepted is finished so long after the faults stopped (G12). */
const calmMsMax = 2 * 3_600_000
const stepsMax = 400_000

export async function runSeed(scenario: ScenarioName, seed: number): Promise<RunResult> {
  const root = new Seeded(seed)
  const swarm = drawSwarm(scenario, root.fork())
  const trace = new Trace(startMs)
  const scheduler = new SeededScheduler(root.fork(), trace, startMs)
  const fates = new SeededFates(root.fork(), noFaults, swarm.freezeMsMax)
  const network = new SimulatedNetwork(scheduler, fates, trace)
  const stores: Stores = {
    objects: new ObjectsState(root.fork(), () => scheduler.now),
    items: new ItemsState(root.fork()),
    queue: new QueueState(scheduler, root.fork(), 60_000),
  }
  const history = new History(trace)
  history.lateEffects = swarm.rates.late > 0
  const worlds = root.fork()
  const cluster = new Cluster({
    scheduler,
    random: root.fork(),
    trace,
    options: { ...swarm, skewMsMax: 150_000 },
    build: (process) => buildProduct(process, { network, stores, random: worlds, swarm }),
  })
  let requests = 0
  const stage: Stage = {
    swarm, scheduler, cluster, stores, history, random: root.fork(), tables: [], calm: { yes: false }, nextRequest: () => ++requests,
  }
  watch(history, stores, stage.tables)
  const unhandled = (error: unknown): void => history.break('harness', 'unhandled', error instanceof Error ? (error.stack ?? error.message) : String(error))
  process.on('unhandledRejection', unhandled)
  try {
    const story = tell(stage, fates)
    let end: 'told' | 'failed' | undefined
    story.then(
      () => {
        end = 'told'
      },
      (error: unknown) => {
        end = 'failed'
        unhandled(error)
      },
    )
    const ended = await scheduler.run(() => end !== undefined || history.broken.length > 0, { stepsMax, untilMs: startMs + 200 * 3_600_000 })
    if (ended !== 'finished') history.break('G12', 'live', lasting(ended))
  } finally {
    process.off('unhandledRejection', unhandled)
  }
  const rows = [...history.requests.values()].reduce((sum, { values }) => sum + values.length, 0)
  return { seed, scenario, broken: history.broken, trace, swarm, steps: scheduler.steps, virtualMs: scheduler.now - startMs, rows }
}

async function tell(stage: Stage, fates: SeededFates): Promise<void> {
  const { swarm, cluster, scheduler, history, calm } = stage
  await setUp(stage)
  fates.rates = swarm.rates
  const producers = [
    ...Array.from({ length: swarm.producers }, (_, i) => produceWithId(stage, `p${i}`)),
    ...Array.from({ length: swarm.keylessProducers }, () => produceWithoutId(stage)),
  ]
  const working = { yes: true }
  const others = Array.from({ length: swarm.fetchers }, () => follow(stage, stage.random.below(swarm.buckets), () => calm.yes && !working.yes))
  const produced = Promise.all(producers).then(() => {
    working.yes = false
  })
  await Promise.race([produced, cluster.sleep(faultyMsMax)])
  fates.stop()
  calm.yes = true
  Object.assign(cluster.options, { duplicateRate: 0, idleFreezeRate: 0, idleKillRate: 0 })
  cluster.settle(stage.random.pick([0, 0.5, 1]))
  const calmFrom = scheduler.now
  const bound = cluster.sleep(calmMsMax).then(() => 'late' as const)
  const finished = await Promise.race([Promise.all([produced, ...others]).then(() => 'in time' as const), bound])
  if (finished === 'late') {
    history.break('G12', 'live', `work of ${working.yes ? 'producers' : 'readers'} is not finished ${scheduler.now - calmFrom} ms after the faults stopped`)
    return
  }
  await judge(stage)
}

/** Without faults: a database, a table, in some runs heads whose offsets are near a power of two. */
async function setUp(stage: Stage): Promise<void> {
  const { swarm, cluster } = stage
  const made = await cluster.invoke({ role: 'admin', name: 'set up', timeoutMs: 60_000, repeatable: false, run: createAll })
  if (made.is !== 'answer') throw new Error(`set up: ${made.is === 'error' ? String(made.error) : made.is}`)
  const { tableId } = made.value
  stage.tables.push({ tableId, buckets: swarm.buckets })
  if (swarm.floor === 0n) return
  const setter = new Process('set-up', stage.scheduler, 0)
  for (let bucket = 0; bucket < swarm.buckets; bucket++) {
    const { attributes } = newHead(tableId, bucket, labelOf(0))
    const at = { s: swarm.floor, b: swarm.floor, e: swarm.floor }
    stage.stores.items.create({ key: headKey(tableId, bucket), attributes: { ...attributes, ...at } }, setter)
  }

  async function createAll({ world }: Environment): Promise<Table> {
    const { buckets, keyed, lake } = swarm
    await createDatabase(world, databaseName)
    await createTable(world, databaseName, tableName, specOf({ buckets, keyed, lake, lakeBytes: swarm.roundBytesMax }))
    return getTable(world, databaseName, tableName)
  }
}

async function judge(stage: Stage): Promise<void> {
  const { stores, history, swarm } = stage
  for (let bucket = 0; bucket < swarm.buckets; bucket++) {
    const cursors = new Map()
    for (let i = 0; i < 3; i++) await fetchOnce(stage, bucket, cursors)
  }
  for (const { tableId, buckets } of stage.tables) {
    if (history.drops.has(tableId)) continue
    const table = specOf({ buckets, keyed: swarm.keyed, lake: swarm.lake, lakeBytes: swarm.roundBytesMax })
    const schema = { schemaId: 1, columns: table.columns.map((column, i) => ({ ...column, id: i + 4 })) }
    const logs: BucketLog[] = []
    for (let bucket = 0; bucket < buckets; bucket++) {
      const log = readBucket(stores, tableId, bucket, schema)
      if (log !== undefined) logs.push(log)
    }
    checkLog(history, tableId, logs)
  }
}

const lasting = (ended: RunEnd): string =>
  ended === 'idle' ? 'nothing is left to happen, and work is not finished' : `the run did not end (${ended})`
