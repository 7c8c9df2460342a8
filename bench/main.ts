/**
 * npm run bench -- <name> [--json] [--rounds N]
 * Runs one bench and prints its table, or one JSON value. Not part of CI: figures of a shared machine prove nothing there.
 */
import { parseArgs } from 'node:util'
import { append, type BenchOptions } from './append.ts'
import { cold } from './cold.ts'
import { compact, printCompact } from './compact.ts'
import { compactLake } from './compact-lake.ts'
import { ddl } from './ddl.ts'
import { freshness } from './freshness.ts'
import type { Report } from './harness.ts'
import { lookup } from './lookup.ts'
import { lookupCold } from './lookup-cold.ts'
import { plan, printPlan } from './plan.ts'
import { fetch, filter, partitions, prune } from './read.ts'
import { recover } from './recover.ts'
import { printRequests, requests } from './requests.ts'
import { printReport } from './table.ts'
import { tail } from './tail.ts'
import { tier } from './tier.ts'
import { upsert, upsertLarge } from './upsert.ts'

interface Bench {
  readonly about: string
  readonly run: (options: BenchOptions) => Promise<{ readonly value: unknown; readonly text: string }>
}

const benches: Readonly<Record<string, Bench>> = {
  append: { about: 'appends over HTTP against bare Node servers', run: async (options) => reports(await append(options)) },
  requests: {
    about: 'storage requests, write units and dollars of appends',
    run: async (options) => {
      const report = await requests(options)
      return { value: report, text: printRequests(report) }
    },
  },
  tier: { about: 'tiering against bare parquet-wasm, and its peak memory', run: async (options) => reports(await tier(options)) },
  freshness: {
    about: 'from ack to lake of a trickling table, and dollars a month',
    run: async (options) => reports(await freshness(options)),
  },
  fetch: { about: 'a whole table over HTTP against a bare Node server', run: async (options) => reports(await fetch(options)) },
  prune: { about: 'some columns of a table against all', run: async (options) => reports(await prune(options)) },
  partitions: { about: 'one partition of a table against all', run: async (options) => reports(await partitions(options)) },
  filter: { about: 'few rows of a table against all', run: async (options) => reports(await filter(options)) },
  tail: { about: 'from produce to tail, over long polls and events', run: async (options) => reports(await tail(options)) },
  ddl: { about: 'create, describe and list 10,000 tables', run: async (options) => reports(await ddl(options)) },
  upsert: {
    about: 'upserts of 1 M keys that the cache holds, against appends; what they write and hold',
    run: async (options) => reports(await upsert(options)),
  },
  'upsert-large': {
    about: 'upserts of 10 M uniform keys with a cache of 256 MiB; what they write and hold',
    run: async (options) => reports(await upsertLarge(options)),
  },
  lookup: { about: 'warm lookups against a bare Node server with a Map', run: async (options) => reports(await lookup(options)) },
  'lookup-cold': {
    about: 'one key of 10 M by a new process, 25 ms an object read: reads, waves, time',
    run: async (options) => reports(await lookupCold(options)),
  },
  recover: {
    about: 'killed with 1 M changes in no snapshot: time to the first lookup',
    run: async (options) => reports(await recover(options)),
  },
  compact: {
    about: 'object reads of a long log before and after compaction, and bytes moved',
    run: async (options) => {
      const report = await compact(options)
      return { value: report, text: printCompact(report) }
    },
  },
  'compact-lake': {
    about: 'joining small files of a lake against bare parquet-wasm',
    run: async (options) => reports(await compactLake(options)),
  },
  plan: {
    about: 'load and plan a lake of up to 10,000 commits, and what they write',
    run: async (options) => {
      const report = await plan(options)
      return { value: report, text: printPlan(report) }
    },
  },
  cold: { about: 'bundle size, import and first request of ingest', run: async (options) => reports(await cold(options)) },
}

process.exitCode = await main()

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false }, rounds: { type: 'string', default: '3' } },
  })
  const [name = ''] = positionals
  const bench = Object.hasOwn(benches, name) ? benches[name] : undefined
  const rounds = Number(values.rounds)
  if (bench === undefined || positionals.length > 1 || !Number.isInteger(rounds) || rounds < 1 || rounds > 100) {
    process.stderr.write(`usage: npm run bench -- <name> [--json] [--rounds 1…100]\n${usage()}\n`)
    return 2
  }
  const { value, text } = await bench.run({ rounds, progress })
  process.stdout.write(`${values.json ? JSON.stringify(value, null, 2) : text}\n`)
  return 0
}

function reports(all: readonly Report[]) {
  return { value: all, text: all.map(printReport).join('\n\n') }
}

function usage(): string {
  return Object.entries(benches)
    .map(([name, { about }]) => `  ${name.padEnd(12)} ${about}`)
    .join('\n')
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
}
