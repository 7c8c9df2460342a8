/**
 * What ten thousand commits do to a table's lake: the time and the requests that an engine needs to load it and to plan a scan of all
 * of it (metadata → manifest list → manifests), the size of its metadata, what a commit writes, what lies in its folder. Commits
 * come every three minutes of a simulated clock, one small file each, made by the code that tiers, of files that nobody wrote;
 * orphans are collected twice a day. Stores are in memory; the time of a plan is also given as it is where each request takes as
 * long as a store's.
 */
import { createDatabase } from '../core/catalog/databases.ts'
import { createTable } from '../core/catalog/tables.ts'
import { labelOf } from '../core/kernel/ids.ts'
import type { LakeBase } from '../core/lake/append.ts'
import { longBound } from '../core/lake/iceberg/bounds.ts'
import { decodeEntries, decodeManifestList, entryStatus } from '../core/lake/iceberg/manifest.ts'
import { currentSnapshot, decodeMetadata } from '../core/lake/iceberg/metadata.ts'
import { keyOfUri, lakeFolder } from '../core/lake/layout.ts'
import { collectLake } from '../core/lake/upkeep/collect.ts'
import { claimed, commitFiles, compactFiles } from '../core/lake/upkeep/lake.case.ts'
import { defaultOptions } from '../core/model/options.ts'
import type { Table } from '../core/model/table.ts'
import type { World } from '../core/ports/world.ts'
import { systemRandom } from '../functions/system.ts'
import { Counter, countObjects } from '../stores/decorators/count.ts'
import { MemoryItems } from '../stores/items/memory.ts'
import { MemoryObjects } from '../stores/objects/memory.ts'
import { machine, type Spread, spreadOf } from './harness.ts'
import { number, table as textTable } from './table.ts'

const stops = [10, 100, 1_000, 2_000, 5_000, 10_000] as const
const everyMs = 3 * 60_000
const day = 86_400_000
const columns = 8
/** Of a commit's file; 500 of them are a file that is joined no more. */
const rows = 1_000
const fileBytes = 16 * 1024
/** Of a request to a store, and how many an engine has at once. */
const requestMs = 20
const requestsAtOnce = 8
const ratioMax = 3
/** Commits, two days of them: from there on as many snapshots expire as come. */
const steadyAt = 1_000
const metadataRatioMax = 1.1

export interface PlanLine {
  readonly commits: number
  /** Read and decode the metadata, ms. */
  readonly load: Spread
  /** All of a plan, from memory, ms. */
  readonly plan: Spread
  /** The same where a request takes 20 ms, eight at once, ms. */
  readonly remote: number
  /** Data files in the snapshot. */
  readonly files: number
  readonly requests: number
  readonly metadataKiB: number
  readonly snapshots: number
  /** Of the commits since the last line, bytes written for each, without data files. */
  readonly writtenKiB: number
  readonly objects: number
}

/** Of the last line to an earlier one. */
export interface PlanRatios {
  /** A plan where a request takes 20 ms, to the first line. */
  readonly remote: number
  /** To the line from which on snapshots expire: before it metadata grows with each commit. */
  readonly load: number
  readonly metadata: number
  /** From memory, to the first line; not judged, for it is little beside the requests. */
  readonly plan: number
}

export interface PlanReport {
  readonly bench: 'plan'
  readonly machine: string
  readonly lines: readonly PlanLine[]
  readonly aim: string
  readonly ratios: PlanRatios
  readonly met: boolean
}

export async function plan(options: { readonly rounds: number; readonly progress: (text: string) => void }): Promise<PlanReport> {
  const lake = await newLake()
  const lines: PlanLine[] = []
  for (const stop of stops) {
    const before = lake.counter.total.get('objects/bytesIn')
    const done = lines.at(-1)?.commits ?? 0
    for (let i = done; i < stop; i++) {
      if (i % 100 === 0) options.progress(`plan: ${i} commits`)
      await commit(lake)
    }
    const written = (lake.counter.total.get('objects/bytesIn') - before) / (stop - done)
    lines.push(await measure(lake, stop, written, Math.max(5, options.rounds)))
  }
  const ratios = ratiosOf(lines)
  return {
    bench: 'plan',
    machine: machine(),
    lines,
    aim: `after ${number(stops.at(-1) ?? 0)} commits a plan at most ${ratioMax} times that after ${stops[0]}; a load at most ${ratioMax} times, and the metadata ${metadataRatioMax} times, that after ${number(steadyAt)}`,
    ratios,
    met: isMet(ratios),
  }
}

function ratiosOf(lines: readonly PlanLine[]): PlanRatios {
  const at = (commits: number): PlanLine => lines.find((line) => line.commits === commits) as PlanLine
  const [first, steady, last] = [at(stops[0]), at(steadyAt), lines.at(-1) as PlanLine]
  return {
    remote: last.remote / first.remote,
    load: last.load.median / steady.load.median,
    metadata: last.metadataKiB / steady.metadataKiB,
    plan: last.plan.median / first.plan.median,
  }
}

export const isMet = ({ remote, load, metadata }: PlanRatios): boolean =>
  remote <= ratioMax && load <= ratioMax && metadata <= metadataRatioMax

export function printPlan({ lines, aim, met, ratios, machine: on }: PlanReport): string {
  const head = [
    'commits',
    'load ms',
    'plan ms',
    `plan ms at ${requestMs} ms a request`,
    'files',
    'requests',
    'metadata KiB',
    'snapshots',
    'KiB a commit',
    'objects',
  ]
  const rows = lines.map((line) => [
    number(line.commits),
    number(line.load.median),
    number(line.plan.median),
    number(line.remote),
    number(line.files),
    number(line.requests),
    number(line.metadataKiB),
    number(line.snapshots),
    number(line.writtenKiB),
    number(line.objects),
  ])
  return [
    `plan: one bucket, ${columns} columns, a commit of one file every three minutes; ${on}`,
    ...textTable(head, rows),
    `- ${aim}: ${met ? '✓ met' : '✗ not met'}`,
    `- a plan ${ratios.remote.toFixed(1)} times where a request takes ${requestMs} ms, ${requestsAtOnce} at once, ${ratios.plan.toFixed(1)} from memory; a load ${ratios.load.toFixed(1)} times, metadata ${ratios.metadata.toFixed(2)} times`,
    '- objects: in the folder, without data files; a KiB a commit counts all but data files',
  ].join('\n')
}

interface Lake {
  readonly world: World
  readonly table: Table
  readonly counter: Counter
  readonly time: { now: number }
  base: LakeBase
  commits: number
}

async function newLake(): Promise<Lake> {
  const time = { now: Date.UTC(2026, 0, 1) }
  const counter = new Counter()
  const world: World = {
    objects: countObjects(new MemoryObjects(), counter),
    items: new MemoryItems(),
    queue: { send: async () => undefined },
    clock: { now: () => time.now, sleep: async () => undefined },
    random: systemRandom,
  }
  await createDatabase(world, 'bench')
  const { table } = await createTable(world, 'bench', 't', {
    columns: Array.from({ length: columns }, (_, i) => ({ name: `c${i}`, type: { kind: 'bigint' as const }, nullable: false })),
    partitionBy: [],
    buckets: { count: 1 },
    options: { ...defaultOptions, lakeFormat: 'iceberg' },
  })
  return { world, table, counter, time, base: await claimed(world, table), commits: 0 }
}

async function commit(lake: Lake): Promise<void> {
  const { world, table, time } = lake
  time.now += everyMs
  const metrics = table.schema.columns.map(({ id }) => ({
    id,
    nulls: 0,
    lower: longBound(BigInt(lake.commits)),
    upper: longBound(BigInt(lake.commits + 1_000)),
  }))
  lake.base = await commitFiles(world, table, lake.base, { rows, fileBytes, metrics })
  for (let before: LakeBase | undefined; before !== lake.base; ) {
    before = lake.base
    lake.base = await compactFiles(world, table, before)
  }
  lake.commits += 1
  if (lake.commits % 240 === 0) await collectLake(world, table.tableId, labelOf(time.now - day))
}

async function measure(lake: Lake, commits: number, written: number, rounds: number): Promise<PlanLine> {
  const { world, table, base } = lake
  const loads: number[] = []
  const plans: number[] = []
  let seen = { files: 0, requests: 0, waves: 0 }
  for (let round = 0; round < rounds; round++) {
    const begun = performance.now()
    const metadata = await load(lake)
    loads.push(performance.now() - begun)
    seen = await scan(lake, metadata, commits)
    plans.push(performance.now() - begun)
  }
  const plan = spreadOf(plans)
  let objects = 0
  for await (const _ of world.objects.list(`${lakeFolder(table.tableId)}/`)) objects += 1
  const metadata = await world.objects.read(base.lake.committed?.metadata.key ?? '')
  return {
    commits,
    load: spreadOf(loads),
    plan,
    remote: plan.median + requestMs * seen.waves,
    files: seen.files,
    requests: seen.requests,
    metadataKiB: metadata.length / 1024,
    snapshots: base.metadata?.snapshots.length ?? 0,
    writtenKiB: written / 1024,
    objects,
  }
}

async function load({ world, base }: Lake) {
  return decodeMetadata(await world.objects.read(base.lake.committed?.metadata.key ?? ''))
}

async function scan({ world, table }: Lake, metadata: Awaited<ReturnType<typeof load>>, commits: number) {
  const [spec] = metadata['partition-specs']
  const snapshot = currentSnapshot(metadata)
  const list = await world.objects.read(keyOfUri(world.objects, table.tableId, snapshot['manifest-list']))
  const manifests = decodeManifestList(list, BigInt(snapshot.summary['total-records'] ?? '0'))
  let found = 0
  let planned = 0n
  for (const { manifest_path } of manifests) {
    const bytes = await world.objects.read(keyOfUri(world.objects, table.tableId, manifest_path))
    const live = (spec && decodeEntries(bytes, spec))?.filter(({ status }) => status !== entryStatus.deleted) ?? []
    found += live.length
    for (const { data_file } of live) planned += data_file.record_count
  }
  if (planned !== BigInt(rows * commits)) throw new Error(`a plan has ${planned} rows of ${rows * commits}`)
  return { files: found, requests: 2 + manifests.length, waves: 2 + Math.ceil(manifests.length / requestsAtOnce) }
}
