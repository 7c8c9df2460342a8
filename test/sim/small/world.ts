/**
 * One run of the small world: stores in a given state, one bucket, processes without skew, actors of a story that repeat
 * what they sent until its outcome is definite. Judged by the same checks as the large one.
 */
import { createDatabase } from '../../../core/catalog/databases.ts'
import { createTable } from '../../../core/catalog/tables.ts'
import { Kv } from '../../../core/kv/kv.ts'
import { Log } from '../../../core/log/log.ts'
import { ingest } from '../actors/ingest.ts'
import { simulatedTables } from '../catalog.ts'
import { checkDropped, checkLog } from '../checks/log.ts'
import { watch } from '../checks/watch.ts'
import type { Cluster, Environment } from '../cluster.ts'
import { type Broken, History, type RequestRecord } from '../history.ts'
import { ItemsState, SimulatedItems } from '../items.ts'
import { ObjectsState, SimulatedObjects } from '../objects.ts'
import { Process } from '../process.ts'
import type { Stores } from '../product.ts'
import { QueueState, SimulatedQueue } from '../queue.ts'
import { Seeded } from '../random.ts'
import { readBucket } from '../reader.ts'
import { schemaOf, specOf, valuesOf } from '../rows.ts'
import { drain, SeededScheduler } from '../scheduler.ts'
import { databaseName, newRequest, type Stage, startMs, tableName } from '../stage.ts'
import { drawSwarm } from '../swarm.ts'
import { Trace } from '../trace.ts'
import { Choices } from './choices.ts'
import { SmallNetwork } from './network.ts'
import { States } from './states.ts'

const attemptsMax = 12
const stepsMax = 2_000

export interface SmallResult {
  /** The run came to a state whose futures were explored before. */
  readonly isKnown: boolean
  readonly broken: readonly Broken[]
  readonly trace: Trace
}

export interface Prepared {
  readonly stores: Stores
  readonly requests: readonly RequestRecord[]
}

export type Story = (world: SmallWorld) => Promise<void>

export class SmallWorld {
  readonly trace = new Trace(startMs)
  readonly history = new History(this.trace)
  readonly network: SmallNetwork
  readonly stage: Stage
  readonly #scheduler: SeededScheduler
  readonly #random: Seeded
  readonly #choices: Choices
  readonly #states: States
  #processes = 0

  /** `states`: those that runs of the same story came through before. */
  constructor(choices: Choices, from?: Prepared, states = new States()) {
    this.#choices = choices
    this.#states = states
    // A run must not draw the names that its prelude drew.
    this.#random = new Seeded(from === undefined ? 7 : 8)
    this.#scheduler = new SeededScheduler(new Seeded(1), this.trace, startMs)
    this.network = new SmallNetwork(choices, this.trace)
    const stores: Stores = {
      objects: new ObjectsState(new Seeded(2), () => this.#scheduler.now),
      items: new ItemsState(new Seeded(3)),
      queue: new QueueState(this.#scheduler, new Seeded(4), 60_000),
      catalog: simulatedTables(() => this.#scheduler.now),
    }
    const swarm = { ...drawSwarm('append', new Seeded(5)), buckets: 1, keyed: false, lake: false, cacheTable: true, floor: 0n }
    this.stage = {
      swarm,
      scheduler: this.#scheduler,
      cluster: undefined as unknown as Cluster,
      stores,
      history: this.history,
      random: new Seeded(6),
      names: { database: databaseName, table: tableName },
      tables: [],
      calm: { yes: false },
      nextRequest: () => this.history.requests.size + 1,
    }
    watch(this.history, stores, this.stage.tables, {
      now: () => this.#scheduler.now,
      schema: schemaOf(swarm),
      logTtlMs: swarm.logTtlMs,
      snapshotAgeMs: swarm.upkeep.snapshotAgeMs,
      external: swarm.external,
    })
    if (from === undefined) return
    copyStores(from.stores, stores, new Process('copy', this.#scheduler, 0))
    for (const request of from.requests) this.history.requests.set(request.id, { ...request, attempts: [...request.attempts] })
  }

  environment(role: string): Environment {
    const process = new Process(`${role}${++this.#processes}`, this.#scheduler, 0)
    const { stores } = this.stage
    const world = {
      objects: new SimulatedObjects(process, this.network, stores.objects),
      items: new SimulatedItems(process, this.network, stores.items),
      queue: new SimulatedQueue(process, this.network, stores.queue),
      clock: process.clock,
      random: this.#random.fork(),
    }
    const log = new Log(world, {
      groupIntervalMs: 0,
      groupBytesMax: 1 << 20,
      groupsInFlightMax: 4,
      pendingBytesMax: 1 << 20,
      cacheBytesMax: 0,
    })
    return { role, process, world, log, kv: new Kv(world, log), cache: new Map(), active: 0, idleFrozen: false }
  }

  request(producer: RequestRecord['producer'], rows = 1): RequestRecord {
    const id = this.stage.nextRequest()
    return newRequest(this.stage, producer, valuesOf(id, rows), id)
  }

  /** Repeats in the same process, or in a new one where that has died, until the outcome is definite. */
  async append(environment: Environment, request: RequestRecord): Promise<Environment> {
    let at = environment
    for (let i = 0; i < attemptsMax; i++) {
      if (!at.process.alive) at = this.environment(at.role)
      const attempt = await this.survive(at, () => ingest(this.stage, at, request))
      const answer = attempt?.answer ?? []
      if (answer.length > 0 && answer.every((part) => part.done || ['sequence-old', 'stale-epoch'].includes(part.code))) return at
      const isUnknown = answer.some((part) => !part.done && part.effect !== 'none') || attempt === undefined
      if (isUnknown && request.producer === undefined) return at
    }
    this.history.break('G12', 'live', `r${request.id} has no definite outcome after ${attemptsMax} attempts`)
    return at
  }

  async appendOnce(environment: Environment, request: RequestRecord): Promise<void> {
    await ingest(this.stage, environment, request)
  }

  /** Undefined when the process died or the work failed. */
  survive<T>(environment: Environment, work: () => Promise<T>): Promise<T | undefined> {
    return new Promise((resolve) => {
      environment.process.onKill(() => resolve(undefined))
      work().then(resolve, () => resolve(undefined))
    })
  }

  async run(story: Story, faults: number): Promise<SmallResult> {
    let isTold = false
    this.network.budget = faults
    story(this).then(
      () => {
        isTold = true
      },
      (error: unknown) => {
        isTold = true
        this.history.break('harness', 'story', error instanceof Error ? (error.stack ?? '') : String(error))
      },
    )
    for (let step = 0; step < stepsMax; step++) {
      await drain()
      if (this.network.isWaiting && this.#isKnown()) return { isKnown: true, broken: [], trace: this.trace }
      if (this.network.step()) continue
      if (isTold) {
        this.#judge()
        return { isKnown: false, broken: this.history.broken, trace: this.trace }
      }
      const before = this.#scheduler.steps
      await this.#scheduler.run(() => this.#scheduler.steps > before, {
        stepsMax: Number.POSITIVE_INFINITY,
        untilMs: Number.POSITIVE_INFINITY,
      })
    }
    this.history.break('G12', 'live', `not finished after ${stepsMax} steps`)
    return { isKnown: false, broken: this.history.broken, trace: this.trace }
  }

  #isKnown(): boolean {
    if (!this.#choices.isNew || this.history.broken.length > 0) return false
    const { items, objects } = this.stage.stores
    const { budget, answers } = this.network
    const { requests, drops } = this.history
    return !this.#states.add([
      [...items.all()],
      [...objects.objects.keys()].sort(),
      answers.all(),
      budget,
      this.#scheduler.now,
      [...requests.values()],
      [...drops.values()],
      this.stage.tables,
    ])
  }

  #judge(): void {
    const { stores, tables, swarm } = this.stage
    const schema = schemaOf(swarm)
    for (const { tableId } of tables) {
      if (this.history.drops.has(tableId)) {
        checkDropped(this.history, tableId)
        continue
      }
      const log = readBucket(stores, tableId, 0, schema)
      checkLog(this.history, tableId, log === undefined ? [] : [log])
    }
  }
}

/** The stores in which every run of a world begins: its prelude, told without faults. */
export async function prepare(prelude: Story): Promise<Prepared> {
  const world = new SmallWorld(new Choices())
  const result = await world.run(async () => {
    const environment = world.environment('prelude')
    await createDatabase(environment.world, databaseName)
    await createTable(environment.world, databaseName, tableName, specOf(world.stage.swarm))
    await prelude(world)
  }, 0)
  if (result.broken.length > 0) throw new Error(`prelude: ${JSON.stringify(result.broken)}`)
  return { stores: world.stage.stores, requests: [...world.history.requests.values()] }
}

function copyStores(from: Stores, to: Stores, author: Process): void {
  for (const item of from.items.all()) to.items.create(item, author)
  for (const [key, bytes] of from.objects.objects) to.objects.create(key, bytes)
}
