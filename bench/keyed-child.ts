/**
 * A process that knows nothing yet, over the data of a stopped server. `fold`: all changes into the snapshots by the product's fold,
 * `merge`: and level 0 into level 1; then some rows a bucket more, so that each has a tail. `lookup`: one key, each object read delayed, and what it
 * asked of the stores. `unfolded`: how many changes no snapshot has.
 *
 *   node bench/keyed-child.ts '<KeyedChildSpec as JSON>'
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { findTable } from '../core/catalog/tables.ts'
import { decodeRows } from '../core/format/json/decode.ts'
import { present } from '../core/kernel/assert.ts'
import { fold } from '../core/kv/fold/fold.ts'
import { type LevelLimits, levelLimits } from '../core/kv/fold/levels.ts'
import { readKvItem } from '../core/kv/item.ts'
import { Kv } from '../core/kv/kv.ts'
import { readHead } from '../core/log/head/birth.ts'
import { Log } from '../core/log/log.ts'
import { routeRows } from '../core/log/route.ts'
import type { Table } from '../core/model/table.ts'
import type { World } from '../core/ports/world.ts'
import { systemClock, systemRandom } from '../functions/system.ts'
import { openStores } from '../stores/open.ts'

export interface KeyedChildSpec {
  readonly folder: string
  readonly mode: 'fold' | 'merge' | 'lookup' | 'unfolded'
  readonly key?: number
  /** Of each read of an object. */
  readonly delayMs?: number
}

export interface ColdLookup {
  readonly ms: number
  readonly rows: number
  readonly itemReads: number
  readonly itemWaves: number
  readonly objectReads: number
  readonly objectWaves: number
}

/** A read is of the wave after the last one that ended before it began. */
class Reads {
  readonly all: { readonly wave: number; ended: boolean }[] = []

  get waves(): number {
    return this.all.reduce((most, { wave }) => Math.max(most, wave), 0)
  }

  async timed<T>(read: () => Promise<T>): Promise<T> {
    const own = { wave: 1 + this.all.reduce((most, { wave, ended }) => (ended ? Math.max(most, wave) : most), 0), ended: false }
    this.all.push(own)
    try {
      return await read()
    } finally {
      own.ended = true
    }
  }
}

const { folder, mode, key = 0, delayMs = 0 } = JSON.parse(process.argv[2] ?? '{}') as KeyedChildSpec
const stores = await openStores({ data: folder, clock: systemClock, random: systemRandom })
const [items, objects] = [new Reads(), new Reads()]
const seen: Pick<World, 'objects' | 'items'> = {
  objects: Object.assign(Object.create(stores.objects) as World['objects'], {
    readNow: undefined,
    read: (...asked: Parameters<World['objects']['read']>) =>
      objects.timed(async () => {
        if (delayMs > 0) await sleep(delayMs)
        return stores.objects.read(...asked)
      }),
  }),
  items: Object.assign(Object.create(stores.items) as World['items'], {
    get: (...asked: Parameters<World['items']['get']>) => items.timed(() => stores.items.get(...asked)),
    query: (...asked: Parameters<World['items']['query']>) => items.timed(() => stores.items.query(...asked)),
  }),
}
const { objects: bareObjects, items: bareItems } = stores
const world: World = {
  ...(mode === 'lookup' ? seen : { objects: bareObjects, items: bareItems }),
  queue: { send: async () => undefined },
  clock: systemClock,
  random: systemRandom,
}
const mergedDown = { ...levelLimits, level0RunsMin: 1, level0RunsMax: 1 }
const log = new Log(world)
const kv = new Kv(world, log)
process.stdout.write(
  JSON.stringify(await { fold: () => foldAll(levelLimits), merge: () => foldAll(mergedDown), lookup: lookUp, unfolded }[mode]()),
)
await stores.flush()
await stores.close()

async function keyed(): Promise<Table> {
  return present(await findTable(world, 'bench', 'keyed'), 'the table')
}

async function foldAll(limits: LevelLimits): Promise<unknown> {
  const table = await keyed()
  const job = {
    kind: 'fold',
    table: { database: 'bench', table: 'keyed', tableId: table.tableId },
    buckets: 0,
    marks: [],
  } as const
  const folded = await fold(world, log, job, { deadlineMs: Number.POSITIVE_INFINITY, ageMs: 0, limits })
  const rows = Array.from({ length: 200 }, (_, id) => JSON.stringify({ id: String(id), value: -id }))
  const batches = decodeRows(Buffer.from(rows.join('\n')), table.schema.columns, 'ndjson')
  await kv.upsert(table, { op: 'upsert', parts: routeRows(table, batches, { rotate: () => 0 }) })
  return folded
}

async function unfolded(): Promise<number> {
  const table = await keyed()
  let changes = 0n
  for (let bucket = 0; bucket < table.buckets.count; bucket++) {
    const at = { partition: '', bucket }
    const [head, item] = [await readHead(world, table.tableId, at), await readKvItem(world, table.tableId, at)]
    changes += (head?.end ?? 0n) - (item?.upTo ?? 0n)
  }
  return Number(changes)
}

async function lookUp(): Promise<ColdLookup> {
  const begun = performance.now()
  items.all.length = 0
  objects.all.length = 0
  const table = await keyed()
  const id = table.schema.columns.slice(0, 1)
  const [keys] = decodeRows(Buffer.from(`{"rows":[{"id":"${key}"}]}`), id, 'json')
  const { rows } = await kv.lookup(table, present(keys, 'a key'), { stale: false, bytesMax: 2 ** 22 })
  return {
    ms: performance.now() - begun,
    rows: rows.filter((row) => row !== undefined).length,
    itemReads: items.all.length,
    itemWaves: items.waves,
    objectReads: objects.all.length,
    objectWaves: objects.waves,
  }
}
