/**
 * The story of a keyed table: writers put and delete rows of few keys in many processes, others look them up and scan them, folds,
 * collects, retentions and compactions run whenever they like. Judged as it is written (checks/keyed.ts), and in the end: what was acked
 * is there once, and everything is folded, with no trigger but the sweep.
 */
import { createDatabase } from '../../core/catalog/databases.ts'
import { createTable } from '../../core/catalog/tables.ts'
import { headKey } from '../../core/format/items/head.ts'
import { decodeKvItem, kvKey } from '../../core/format/items/kv.ts'
import { textOf as binaryText } from '../../core/format/run/text.ts'
import { utf8 } from '../../core/kernel/bytes.ts'
import { keyFormOf, keyOf } from '../../core/kv/key.ts'
import type { LookedUp } from '../../core/kv/lookup.ts'
import { batchOf, type Row } from '../../core/kv/values.ts'
import { producerOf } from '../../core/log/producer.ts'
import { routeRows } from '../../core/log/route.ts'
import { defaultOptions } from '../../core/model/options.ts'
import { tableSpecOf } from '../../core/model/spec.ts'
import type { Table } from '../../core/model/table.ts'
import { readChanges } from './actors/binlog-reader.ts'
import { codeOf, tableCache } from './actors/ingest.ts'
import { startWorkers, sweepOnce, trigger } from './actors/jobs.ts'
import { checkLookup, KeyedWatch, seenOf } from './checks/keyed.ts'
import type { SeededFates } from './fates.ts'
import { scan, scanUnderLease } from './keyed-scan.ts'
import { contend } from './keyed-turn.ts'
import { textOf } from './rows.ts'
import { databaseName, type Stage, tableName } from './stage.ts'

const requestTimeoutMs = 30_000
const faultyMsMax = { collect: 60 * 3_600_000, other: 4 * 3_600_000 }
const calmMsMax = 2 * 3_600_000
/** A lease, a visibility time, sweeps, clocks that differ. */
const foldBoundMs = 30 * 60_000
const leaseMsMax = 60_000 + 2 * 150_000
const stormMs = 120_000

const body = {
  columns: [
    { name: 'v', type: 'bigint' },
    { name: 's', type: 'string' },
    { name: 'k', type: 'string' },
    { name: 'n', type: 'bigint', autoIncrement: true },
  ],
  primaryKey: ['k'],
}

interface Shared {
  readonly stage: Stage
  readonly watch: KeyedWatch
  readonly keys: readonly string[]
  /** Of requests that were answered as done: by value, where it must be. */
  readonly acked: { readonly value: bigint; readonly bucket: number; readonly base: bigint; readonly end: bigint }[]
  readonly byProducer: Set<bigint>
}

export async function tellKeyed(stage: Stage, fates: SeededFates): Promise<void> {
  const { swarm, cluster, random, scheduler, history } = stage
  const cacheSize = random.pick(['1', '3', '20', '1000'])
  const spec = tableSpecOf({ ...body, buckets: { count: swarm.buckets }, options: { 'auto-increment.cache-size': cacheSize } })
  const columns = spec.columns.map((column, i) => ({ ...column, id: i + 4 }))
  const watch = new KeyedWatch(history, stage.stores, { columns, now: () => scheduler.now })
  const common = stage.stores.items.onWrite
  stage.stores.items.onWrite = (key, before, after, author) => {
    common(key, before, after, author)
    watch.written(key, before, after)
  }
  const shared: Shared = {
    stage,
    watch,
    keys: Array.from({ length: random.between(2, 12) }, (_, i) => `key-${i}`),
    acked: [],
    byProducer: new Set(),
  }
  await cluster.invoke({
    role: 'admin',
    name: 'set up',
    timeoutMs: 60_000,
    repeatable: false,
    run: async ({ world }) => {
      await createDatabase(world, databaseName)
      const options = { ...spec.options, ...defaultOptions, logTtlMs: swarm.logTtlMs }
      await createTable(world, databaseName, tableName, {
        ...spec,
        options: { ...options, ...(spec.options.keyed && { keyed: spec.options.keyed }) },
      })
    },
  })
  startWorkers(stage)
  fates.rates = swarm.rates
  const working = { yes: true }
  const acted = Promise.all([
    ...Array.from({ length: Math.max(1, swarm.producers) }, (_, i) => write(shared, `p${i}`)),
    ...Array.from({ length: swarm.keylessProducers }, () => write(shared, undefined)),
  ]).then(() => {
    working.yes = false
  })
  const others = [
    ...Array.from({ length: 1 + swarm.fetchers }, () => lookUp(shared, () => working.yes)),
    ...Array.from({ length: Math.min(1, swarm.fetchers) }, () => readChanges(stage, watch, () => working.yes)),
    ...Array.from({ length: swarm.tableReaders }, () => scan(shared, () => working.yes)),
    sweepWhile(stage, () => working.yes),
    triggerWhile(stage, 'fold', random.between(0, 24), () => working.yes),
    triggerWhile(stage, 'collect', swarm.extraCollects, () => working.yes),
    triggerWhile(stage, 'retain', swarm.extraRetains, () => working.yes),
    triggerWhile(stage, 'compact', swarm.extraCompactions, () => working.yes),
  ]
  await Promise.race([acted, cluster.sleep(swarm.collect ? faultyMsMax.collect : faultyMsMax.other)])
  fates.stop()
  stage.calm.yes = true
  Object.assign(cluster.options, { duplicateRate: 0, idleFreezeRate: 0, idleKillRate: 0 })
  cluster.settle(random.pick([0, 0.5, 1]))
  const bound = cluster.sleep(calmMsMax).then(() => 'late' as const)
  const finished = await Promise.race([Promise.all([acted, ...others]).then(() => 'in time' as const), bound])
  if (finished === 'late') return history.break('G12', 'live', `work is not finished ${calmMsMax} ms after the faults stopped`)
  await foldAll(shared)
  if (swarm.collect) await scanUnderLease(shared, () => writeOnce(shared))
  // In very little memory writers wait for folds, each as long.
  if (swarm.storm && swarm.group.groupsInFlightMax !== 8) await contend(stage, random.pick(shared.keys))
  for (let i = 0; i < 3; i++) await lookUpOnce(shared)
  checkAcked(shared)
}

/** Requests one after another, each repeated, unchanged, until its outcome is definite. */
async function write(shared: Shared, producerId: string | undefined): Promise<void> {
  const { stage, keys } = shared
  const { random, swarm, cluster } = stage
  for (let sequence = 0; sequence < 2 * swarm.requestsEach; sequence++) {
    const request = stage.nextRequest()
    const operations = Array.from({ length: random.between(1, swarm.rowsMax) }, (_, i) => ({
      key: random.pick(keys),
      value: BigInt(request) * 16n + BigInt(i),
      isDelete: random.chance(0.3),
    }))
    for (let pauseMsMax = 1_000; ; pauseMsMax = Math.min(600_000, 1.3 * pauseMsMax)) {
      const outcome = await upsert(shared, { producerId, sequence, operations })
      if (outcome === 'definite') break
      if (outcome === 'unknown' && producerId === undefined && random.chance(0.5)) break
      await cluster.sleep(random.magnitude(10, pauseMsMax))
    }
    if (swarm.thinkMs > 0) await cluster.sleep(random.between(0, 2 * swarm.thinkMs))
  }
}

/** Every key, without faults. */
async function writeOnce(shared: Shared): Promise<void> {
  const request = BigInt(shared.stage.nextRequest())
  const operations = shared.keys.map((key, i) => ({ key, value: request * 16n + BigInt(i), isDelete: i % 3 === 0 }))
  await upsert(shared, { producerId: undefined, sequence: 0, operations })
}

interface Sent {
  readonly producerId: string | undefined
  readonly sequence: number
  readonly operations: readonly { readonly key: string; readonly value: bigint; readonly isDelete: boolean }[]
}

async function upsert({ stage, acked, byProducer }: Shared, sent: Sent): Promise<'definite' | 'none' | 'unknown'> {
  const { producerId, sequence, operations } = sent
  const mayBeDamaged = stage.swarm.rates.corrupt > 0 && !stage.calm.yes
  const outcome = await stage.cluster.invoke({
    role: 'ingest',
    name: `upsert ${producerId ?? 'without a producer'} ${sequence}: ${operations.map(({ key, isDelete }) => `${isDelete ? '-' : '+'}${key}`).join(' ')}`,
    timeoutMs: requestTimeoutMs,
    repeatable: producerId !== undefined,
    run: async (environment) => {
      const table = await tableCache(stage, environment).get(databaseName, tableName)
      const producer =
        producerId === undefined
          ? undefined
          : producerOf({
              principal: 'local',
              producerId,
              epoch: 0n,
              sequence: BigInt(sequence),
              body: utf8(JSON.stringify(operations, (_, value) => (typeof value === 'bigint' ? `${value}` : value))),
              gapDetection: false,
            })
      const opField = { id: -2, name: '__op', type: { kind: 'tinyint' }, nullable: false } as const
      const batch = batchOf(
        [...table.schema.columns, opField],
        operations.map(({ key, value, isDelete }) => [value, bytesOrNull(textOf(value)), utf8(key), null, isDelete ? 4 : 3]),
      )
      const parts = routeRows(table, [batch], { rotate: () => 0 })
      const appended = await environment.kv.upsert(table, { op: 'upsert', parts, ...(producer && { producer }) })
      const last = new Map(operations.map((operation) => [operation.key, operation]))
      for (const [i, { bucket, outcome: done }] of appended.entries()) {
        if (!done.done) continue
        const own = parts[i]?.batches.flatMap((each) => keysIn(table, each)) ?? []
        for (const { key, value, isDelete } of operations)
          if (!isDelete && own.includes(key) && last.has(key)) {
            acked.push({ value, bucket, base: done.base, end: done.end })
            if (producerId !== undefined) byProducer.add(value)
          }
      }
      return appended
    },
  })
  if (outcome.is === 'lost') return 'unknown'
  if (outcome.is === 'error') {
    const code = codeOf(outcome.error)
    if (code === 'unexpected' || (code === 'internal' && !mayBeDamaged))
      stage.history.break(
        'harness',
        'error',
        `upsert: ${outcome.error instanceof Error ? outcome.error.stack : String(outcome.error)}`,
      )
    return 'none'
  }
  const failures = outcome.value.flatMap(({ outcome: done }) => (done.done ? [] : [done.error]))
  for (const error of failures)
    if (error.code === 'internal' && !mayBeDamaged) stage.history.break('harness', 'error', `upsert: ${error.stack}`)
  if (failures.some(({ effect }) => effect !== 'none')) return 'unknown'
  return failures.every(({ code }) => final.has(code)) ? 'definite' : 'none'
}

const bytesOrNull = (text: string | undefined): Uint8Array | null => (text === undefined ? null : utf8(text))

/** A late repeat of a newer request has made this one pointless. */
const final: ReadonlySet<string> = new Set(['sequence-old', 'sequence-reused'])

function keysIn(table: Table, batch: Parameters<typeof routeRows>[1][number]): readonly string[] {
  const column = batch.columns[table.schema.columns.findIndex(({ name }) => name === 'k')]
  const { offsets, values } = column ?? {}
  if (offsets === undefined || values === undefined) return []
  return Array.from({ length: batch.rows }, (_, i) => binaryText(values, offsets[i] as number, offsets[i + 1] as number))
}

/** More seldom as the run goes on: writers that wait for folds may take hours. */
async function lookUp(shared: Shared, isWorking: () => boolean): Promise<void> {
  const { stage } = shared
  for (let looked = 0; isWorking(); looked++) {
    const seldom = 1 + Math.floor(looked / 50)
    await stage.cluster.sleep(stage.random.magnitude(10, seldom * Math.max(2_000, 4 * stage.swarm.thinkMs)))
    await lookUpOnce(shared)
  }
}

async function lookUpOnce({ stage, keys, watch }: Shared): Promise<void> {
  const { random, cluster, swarm, history } = stage
  const wanted = [...new Set(Array.from({ length: random.between(1, 4) }, () => random.pick(keys)))]
  const stale = random.chance(0.2)
  const inserts = random.chance(0.3)
  await cluster.invoke({
    role: inserts ? 'ingest' : random.pick(['ingest', 'read']),
    name: `look up ${wanted.join(' ')}${stale ? ' stale' : ''}${inserts ? ' or insert' : ''}`,
    timeoutMs: requestTimeoutMs,
    repeatable: true,
    run: async (environment) => {
      const table = await tableCache(stage, environment).get(databaseName, tableName)
      const nameOf = (bucket: number): string => headKey(table.tableId, { partition: '', bucket }).partition
      const from = Array.from({ length: swarm.buckets }, (_, i) => watch.buckets.get(nameOf(i))?.end)
      const batch = batchOf(
        table.schema.columns,
        wanted.map((key) => [null, null, utf8(key)]),
      )
      const options = { stale, bytesMax: 1 << 30 }
      const looking: Promise<LookedUp<Row | undefined>> = inserts
        ? environment.kv.lookupOrInsert(table, batch, options)
        : environment.kv.lookup(table, batch, options)
      const answered = await looking.catch((error: unknown) => {
        if (codeOf(error) === 'unexpected' || (codeOf(error) === 'internal' && swarm.rates.corrupt === 0))
          history.break('harness', 'error', `lookup: ${error instanceof Error ? error.stack : String(error)}`)
        return undefined
      })
      if (answered === undefined) return
      const { rows, buckets } = answered
      const form = keyFormOf(table)
      for (const part of routeRows(table, [batch], { rotate: () => 0 })) {
        const own = part.batches.flatMap((each) => keysIn(table, each))
        const bucket = watch.buckets.get(nameOf(part.bucket))
        const found = own.map((key) => {
          const row = rows[wanted.indexOf(key)]
          return row && seenOf(row)
        })
        if (inserts && found.includes(undefined)) history.break('G6', 'lookup', 'a lookup that inserts has found no row')
        if (bucket === undefined) {
          if (found.some((row) => row !== undefined)) history.break('G6', 'lookup', 'rows of a bucket that never was')
          continue
        }
        const texts = own.map((key) => keyOf(form, [null, null, utf8(key)]))
        const begin = stale ? bucket.floor : (from[part.bucket] ?? bucket.floor)
        const at = buckets.find((each) => each.bucket === part.bucket)?.offset
        checkLookup(history, bucket, { keys: texts, rows: found }, { from: begin, to: bucket.end, at })
      }
    },
  })
}

async function sweepWhile(stage: Stage, isWorking: () => boolean): Promise<void> {
  while (isWorking()) {
    await stage.cluster.sleep(stage.random.magnitude(10_000, stage.swarm.sweepMsMax))
    await sweepOnce(stage)
  }
}

async function triggerWhile(
  stage: Stage,
  kind: 'fold' | 'collect' | 'retain' | 'compact',
  count: number,
  isWorking: () => boolean,
): Promise<void> {
  for (let i = 0; i < count && isWorking(); i++) {
    await stage.cluster.sleep(stage.random.magnitude(10, Math.max(1_000, 4 * stage.swarm.thinkMs)))
    trigger(stage, kind)
  }
}

/** What is in the changelog is in a snapshot within its time and a bound, with no trigger but the sweep; in a storm of triggers too. */
async function foldAll({ stage, watch }: Shared): Promise<void> {
  const { cluster, scheduler, history, stores, swarm } = stage
  const behind = (): readonly string[] =>
    [...watch.buckets.values()].flatMap(({ name, end, floor }) => {
      const [tableId = '', bucket] = name.split('#')
      const item = stores.items.get(kvKey(tableId, { partition: '', bucket: Number(bucket) }), 'plain')
      const upTo = item === undefined ? floor : decodeKvItem(item).upTo
      return upTo < end ? [`${name} (${upTo} of ${end})`] : []
    })
  if (swarm.storm) {
    await cluster.sleep(leaseMsMax)
    const end = scheduler.now + stormMs
    while (behind().length > 0) {
      if (scheduler.now > end)
        return history.break('G12', 'live', `${behind().join(', ')} not folded after ${stormMs} ms of triggers`)
      trigger(stage, 'fold')
      await cluster.sleep(stage.random.between(1, 5))
    }
  }
  const until = scheduler.now + foldBoundMs
  while (behind().length > 0) {
    if (scheduler.now > until)
      return history.break('G12', 'live', `${behind().join(', ')} not folded ${foldBoundMs} ms after the faults`)
    await cluster.sleep(60_000)
    await sweepOnce(stage)
  }
}

/** A row that was acked was written once, in the offsets that were answered; others at most once, where a producer sent them. */
function checkAcked({ stage, watch, acked, byProducer }: Shared): void {
  const tableId = stage.tables.at(-1)?.tableId ?? ''
  const bucketOf = (bucket: number) => watch.buckets.get(headKey(tableId, { partition: '', bucket }).partition)
  for (const { value, bucket, base, end } of acked) {
    const offsets = bucketOf(bucket)?.written.get(value) ?? []
    if (!offsets.some((offset) => offset >= base && offset < end))
      stage.history.break(
        'G1',
        'acked',
        `${value} was acked at ${base} to ${end} of bucket ${bucket}, and is at ${offsets.join(', ')}`,
      )
  }
  for (const bucket of watch.buckets.values())
    for (const [value, offsets] of bucket.written)
      if (offsets.length > 1 && byProducer.has(value))
        stage.history.break('G2', 'once', `${value} is at ${offsets.join(', ')} of ${bucket.name}`)
}
