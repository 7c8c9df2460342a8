/**
 * Auto partitions in the story of partitions: names are hours, an owner alters the options while workers make and drop. Judged: none is
 * dropped that was to be kept under any options there were; in the end, with no trigger but the sweep, the hours ahead are there and none
 * that is too old.
 */
import { listPartitions } from '../../core/catalog/partitions.ts'
import { alterTable, getTable } from '../../core/catalog/tables.ts'
import { decodePartition } from '../../core/format/items/partition.ts'
import { isExpired, namesAhead, periodOfName, periodsOf } from '../../core/model/auto-partition.ts'
import { defaultOptions, parseOptions, type TableOptions } from '../../core/model/options.ts'
import { periodAt, periodOfText, periodText } from '../../core/model/period.ts'
import { codeOf } from './actors/ingest.ts'
import { sweepOnce } from './actors/jobs.ts'
import { databaseName, type Stage, tableName } from './stage.ts'

const hourMs = 3_600_000
/** Of one process's clock, and of two. */
const skewMs = 300_000
/** A lease and what a dead worker leaves: the mark stands until its run is over. */
const boundMs = 30 * 60_000

const retentions = [0, 1, 2] as const

export function periodOptions(stage: Stage): TableOptions {
  const { random } = stage
  return parseOptions(
    {
      'auto-partition.enabled': 'true',
      'auto-partition.time-unit': 'hour',
      'auto-partition.time-zone': random.pick(['UTC', 'Asia/Kolkata']),
      'auto-partition.num-precreate': String(random.between(0, 3)),
      'auto-partition.num-retention': String(random.pick(retentions)),
    },
    defaultOptions,
  )
}

/** Hours around the current one, also such as are refused. */
export function someHour(stage: Stage): string {
  const hour = Math.floor(stage.scheduler.now / hourMs) + stage.random.pick([-4, -2, -1, 0, 0, 0, 0, 1, 2])
  return `p=${periodText('hour', hour)}`
}

/** More or fewer are kept or made ahead; for a while, none. */
export async function alterPeriods(stage: Stage): Promise<void> {
  const { random, cluster, history } = stage
  for (let i = random.between(0, 4); i >= 0; i--) {
    await cluster.sleep(random.magnitude(1_000, 3 * hourMs))
    const setOptions = {
      'auto-partition.enabled': i === 0 ? 'true' : random.pick(['true', 'true', 'false']),
      'auto-partition.num-retention': String(random.pick(retentions)),
      'auto-partition.num-precreate': String(random.between(0, 3)),
    }
    for (;;) {
      const outcome = await cluster.invoke({
        role: 'admin',
        name: `alter: ${Object.values(setOptions).join(' ')}`,
        timeoutMs: 30_000,
        repeatable: true,
        run: ({ world }) => alterTable(world, databaseName, tableName, { setOptions }),
      })
      if (outcome.is === 'answer') break
      if (outcome.is === 'error' && ['internal', 'unexpected'].includes(codeOf(outcome.error)))
        history.break('harness', 'error', `alter: ${String(outcome.error)}`)
      await cluster.sleep(random.between(10, 2_000))
    }
  }
}

/** By hand only what an actor of the story has named; the worker, whatever its clock, only what is too old under the shortest retention. */
export function watchPeriods(stage: Stage, timeZone: string, byHand: ReadonlySet<string>): void {
  const { history, stores, scheduler } = stage
  const before = stores.items.onWrite
  stores.items.onWrite = (key, old, next, author) => {
    before?.(key, old, next, author)
    if (!key.partition.startsWith('p/') || old === undefined || next?.['x'] !== 'dropping' || old['x'] !== 'alive') return
    const { name } = decodePartition({ key, attributes: old })
    if (byHand.has(name)) return
    const hour = periodOfText('hour', name.slice('p='.length))
    const current = periodAt({ timeUnit: 'hour', timeZone }, scheduler.now + skewMs)
    if (hour === undefined || hour >= current - Math.min(...retentions))
      history.break('G1', 'periods', `${name} is dropped, and is not too old`)
  }
}

/** From the middle of an hour on, which is the same for every clock. */
export async function settlePeriods(stage: Stage): Promise<void> {
  const { cluster, scheduler, history } = stage
  await cluster.sleep(hourMs - (scheduler.now % hourMs) + skewMs)
  const until = scheduler.now + boundMs
  for (;;) {
    await sweepOnce(stage)
    await cluster.sleep(60_000)
    const wrong = await wrongPeriods(stage)
    if (wrong.length === 0) return
    if (scheduler.now > until) return history.break('G12', 'periods', wrong.join(', '))
  }
}

async function wrongPeriods(stage: Stage): Promise<readonly string[]> {
  const outcome = await stage.cluster.invoke({
    role: 'admin',
    name: 'periods',
    timeoutMs: 60_000,
    repeatable: false,
    run: async ({ world }) => {
      const table = await getTable(world, databaseName, tableName)
      return { periods: periodsOf(table), partitions: await listPartitions(world, table, { limit: 1_000 }) }
    },
  })
  if (outcome.is !== 'answer') return ['the partitions cannot be listed']
  const { periods, partitions } = outcome.value
  // A late repeat of an older request has turned them off.
  if (periods === undefined) return []
  const now = stage.scheduler.now
  const names = new Set(partitions.map(({ name }) => name))
  const late = partitions.filter(({ name }) => isExpired(periods, periodOfName(periods, name) ?? 0, now - skewMs))
  const missing = namesAhead(periods, now - skewMs).filter((name) => !names.has(name))
  return [...late.map(({ name }) => `${name} is too old`), ...missing.map((name) => `${name} is not there`)]
}
