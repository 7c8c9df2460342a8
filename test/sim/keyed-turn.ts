/**
 * Contention in a keyed table's story: without faults, one writer that is far away from the stores changes the rows that writers near
 * them change without a pause. Each of its commits comes late, and it has the bucket only because others let it go first.
 */
import { utf8 } from '../../core/kernel/bytes.ts'
import { batchOf } from '../../core/kv/values.ts'
import { routeRows } from '../../core/log/route.ts'
import { codeOf, tableCache } from './actors/ingest.ts'
import type { Environment } from './cluster.ts'
import { databaseName, type Stage, tableName } from './stage.ts'

const nearWriters = 2
const farMs = 100
/** Of one request. A writer gives up after twenty-four races that it lost, and says so. */
const timeoutMs = 60_000

export async function contend(stage: Stage, key: string): Promise<void> {
  const { cluster, history, scheduler } = stage
  // A turn means something between clocks that agree, which those of the processes so far do not.
  Object.assign(cluster.options, { skewMsMax: 0, coldRate: 0 })
  const contending = { yes: true }
  const near = Array.from({ length: nearWriters }, async (_, i) => {
    while (contending.yes) await put(stage, `near${i}`, key, 0)
  })
  await cluster.sleep(1_000)
  const begun = scheduler.now
  const outcome = await put(stage, 'far', key, farMs)
  contending.yes = false
  await Promise.all(near)
  if (outcome !== 'done') history.break('G12', 'live', `a writer among faster ones: ${outcome} after ${scheduler.now - begun} ms`)
}

async function put(stage: Stage, role: string, key: string, lagMs: number): Promise<string> {
  const value = BigInt(stage.nextRequest()) * 16n
  const run = async (environment: Environment): Promise<string> => {
    environment.process.lagMs = lagMs
    const table = await tableCache(stage, environment).get(databaseName, tableName)
    const batch = batchOf(table.schema.columns, [[value, null, utf8(key), null]])
    const parts = routeRows(table, [batch], { rotate: () => 0 })
    const [appended] = await environment.kv.upsert(table, { op: 'upsert', parts })
    if (appended === undefined) return 'nothing'
    return appended.outcome.done ? 'done' : `${appended.outcome.error.code}: ${appended.outcome.error.message}`
  }
  const outcome = await stage.cluster.invoke({ role, name: `contend ${value}`, timeoutMs, repeatable: false, run })
  return outcome.is === 'answer' ? outcome.value : outcome.is === 'error' ? codeOf(outcome.error) : outcome.is
}
