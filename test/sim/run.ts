/** One run: a swarm is drawn from the seed, a story is told under its faults, and everything must come to an end within a stated bound. */
import { simulatedTables } from './catalog.ts'
import { watch } from './checks/watch.ts'
import { Cluster } from './cluster.ts'
import { noFaults, SeededFates } from './fates.ts'
import { type Broken, History } from './history.ts'
import { ItemsState } from './items.ts'
import { tellKeyed } from './keyed-story.ts'
import { tellLog } from './log-story.ts'
import { SimulatedNetwork } from './network.ts'
import { ObjectsState } from './objects.ts'
import { tellPartitions } from './partition-story.ts'
import { buildProduct, type Stores } from './product.ts'
import { QueueState } from './queue.ts'
import { Seeded } from './random.ts'
import { schemaOf } from './rows.ts'
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

const stepsMax = 400_000

const stories: Partial<Record<ScenarioName, typeof tellLog>> = {
  partitions: tellPartitions,
  periods: tellPartitions,
  keyed: tellKeyed,
}

export async function runSeed(scenario: ScenarioName, seed: number): Promise<RunResult> {
  const root = new Seeded(seed)
  const swarm = drawSwarm(scenario, root.fork())
  const trace = new Trace(startMs)
  const scheduler = new SeededScheduler(root.fork(), trace, startMs)
  const fates = new SeededFates(root.fork(), noFaults, swarm)
  const network = new SimulatedNetwork(scheduler, fates, trace)
  const stores: Stores = {
    objects: new ObjectsState(root.fork(), () => scheduler.now),
    items: new ItemsState(root.fork()),
    queue: new QueueState(scheduler, root.fork(), 60_000),
    catalog: simulatedTables(() => scheduler.now),
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
    swarm,
    scheduler,
    cluster,
    stores,
    history,
    random: root.fork(),
    names: { database: databaseName, table: tableName },
    tables: [],
    calm: { yes: false },
    nextRequest: () => ++requests,
  }
  watch(history, stores, stage.tables, { ...swarm, ...swarm.upkeep, now: () => scheduler.now, schema: schemaOf(swarm) })
  const unhandled = (error: unknown): void =>
    history.break('harness', 'unhandled', error instanceof Error ? (error.stack ?? error.message) : String(error))
  process.on('unhandledRejection', unhandled)
  try {
    const story = stories[scenario] ?? tellLog
    let end: 'told' | 'failed' | undefined
    story(stage, fates).then(
      () => {
        end = 'told'
      },
      (error: unknown) => {
        end = 'failed'
        unhandled(error)
      },
    )
    const ended = await scheduler.run(() => end !== undefined || history.broken.length > 0, {
      stepsMax,
      untilMs: startMs + 200 * 3_600_000,
    })
    if (ended !== 'finished') history.break('G12', 'live', lasting(ended))
  } finally {
    process.off('unhandledRejection', unhandled)
  }
  const rows = [...history.requests.values()].reduce((sum, { values }) => sum + values.length, 0)
  return {
    seed,
    scenario,
    broken: history.broken,
    trace,
    swarm,
    steps: scheduler.steps,
    virtualMs: scheduler.now - startMs,
    rows,
  }
}

const lasting = (ended: RunEnd): string =>
  ended === 'idle' ? 'nothing is left to happen, and work is not finished' : `the run did not end (${ended})`
