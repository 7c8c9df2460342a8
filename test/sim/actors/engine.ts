/**
 * Engines that keep the lake in order through the catalog while rows come in: each loads the table, writes files of its own, and
 * commits; it may die or sleep anywhere. As engines do, it deletes what it wrote when it is told that nothing was committed, and
 * only then. Sometimes it would lose a file, and must be refused. What was acked of its properties must be there in the end.
 */
import { getTable } from '../../../core/catalog/tables.ts'
import { isSluiceError } from '../../../core/kernel/errors.ts'
import { loadLake } from '../../../core/lake/catalog.ts'
import { commitToLake, type EngineCommit } from '../../../core/lake/commit.ts'
import { expireSnapshots, mergeManifests } from '../../../core/lake/engine.case.ts'
import { decodeMetadata, type TableMetadata } from '../../../core/lake/iceberg/metadata.ts'
import { markCollect } from '../../../core/log/keep/lake-mark.ts'
import type { World } from '../../../core/ports/world.ts'
import { propertiesOf } from '../checks/lake.ts'
import { databaseName, type Stage, tableName } from '../stage.ts'
import { codeOf } from './ingest.ts'

type Kind = 'merge' | 'lose' | 'expire' | 'property'
const kinds: readonly Kind[] = ['merge', 'merge', 'lose', 'expire', 'property', 'property']
const engineMs = 10 * 60_000

export class Engines {
  readonly #stage: Stage
  /** `<tableId> <property>` of every commit that was answered. */
  readonly #acked: string[] = []

  constructor(stage: Stage) {
    this.#stage = stage
  }

  async work(name: string, isWorking: () => boolean): Promise<void> {
    const { swarm, cluster, random, history } = this.#stage
    for (let i = 0; i < swarm.engineCommits && isWorking(); i++) {
      await cluster.sleep(random.magnitude(10, Math.max(1_000, 4 * swarm.thinkMs)))
      const kind = random.pick(kinds)
      const outcome = await cluster.invoke({
        role: 'engine',
        name: `engine: ${kind}`,
        timeoutMs: engineMs,
        repeatable: false,
        run: ({ world }) => this.#maintain(world, kind, `${name}.${i}`),
      })
      if (outcome.is === 'answer' && outcome.value !== undefined) this.#acked.push(outcome.value)
      if (outcome.is === 'error' && ['internal', 'unexpected'].includes(codeOf(outcome.error)))
        history.break('harness', 'error', `engine: ${outcome.error instanceof Error ? outcome.error.stack : ''}`)
    }
  }

  /** kept: a commit that was answered has not been lost under one of ours. */
  check(tableId: string): void {
    const { stores, history } = this.#stage
    const properties = propertiesOf(stores, tableId)
    for (const acked of this.#acked) {
      const [of = '', name = ''] = acked.split(' ')
      if (of === tableId && properties[name] === undefined)
        history.break('G8', 'kept', `the property ${name} that an engine committed to the lake of ${tableId} is gone`)
    }
  }

  /** What is owed once it is answered: nothing where there was no lake to maintain, or another kind of commit. */
  async #maintain(world: World, kind: Kind, property: string): Promise<string | undefined> {
    const table = await getTable(world, databaseName, tableName).catch(ignoreAbsent)
    const loaded = table && (await loadLake(world, table).catch(ignoreAbsent))
    if (table === undefined || loaded?.lake.committed === undefined) return undefined
    const metadata = decodeMetadata(loaded.metadata)
    const { commit, written } = await this.#prepare(world, metadata, kind, property)
    const job = {
      table: { database: databaseName, table: tableName, tableId: table.tableId },
      buckets: table.buckets.count,
    }
    try {
      await commitToLake(world, table, commit, (lake) => markCollect(world, job, lake))
    } catch (error) {
      if (!isSluiceError(error)) throw error
      if (error.effect === 'none') await world.objects.delete(written)
      if (error.code === 'bad-request' && kind === 'lose') return undefined
      if (!['conflict', 'not-found', 'gone'].includes(error.code)) throw error
      return undefined
    }
    if (kind === 'lose' && written.length > 0)
      this.#stage.history.break('G8', 'tier', `a snapshot of ${table.tableId} that loses a file was committed`)
    return kind === 'property' ? `${table.tableId} ${property}` : undefined
  }

  async #prepare(
    world: World,
    metadata: TableMetadata,
    kind: Kind,
    property: string,
  ): Promise<{ readonly commit: EngineCommit; readonly written: readonly string[] }> {
    const now = world.clock.now()
    if (kind === 'property')
      return {
        commit: { requirements: [], updates: [{ action: 'set-properties', updates: { [property]: '' } }] },
        written: [],
      }
    if (kind === 'expire') {
      const before = now - this.#stage.swarm.upkeep.snapshotAgeMs
      return { commit: expireSnapshots(metadata, before), written: [] }
    }
    const { written, ...commit } = await mergeManifests(world, metadata, { now, keep: (at) => kind === 'merge' || at > 0 })
    return { commit, written }
  }
}

function ignoreAbsent(error: unknown): undefined {
  if (!isSluiceError(error, 'not-found')) throw error
}
