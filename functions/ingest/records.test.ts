/** A produce that meets, in some of its buckets, rows of columns that its process does not know yet. */
import { expect, test } from 'vitest'
import { media } from '../../contract/media.ts'
import { alterTable, getTable } from '../../core/catalog/tables.ts'
import { joined, utf8, utf8Text } from '../../core/kernel/bytes.ts'
import { changesIn, keyedTable, plainOf, routedOf, testKv, testWorld } from '../../core/kv/world.case.ts'
import type { Table } from '../../core/model/table.ts'
import { MemoryObjects } from '../../stores/objects/memory.ts'
import { Meter } from '../meter.ts'
import { TableCache } from '../tables.ts'
import type { FunctionWorld } from '../world.ts'
import { records } from './records.ts'

const routedTo = (table: Table, key: string): number | undefined => routedOf(table, [[key, 1n, 'x']]).parts[0]?.bucket

/** In front of the next object. */
class RacedObjects extends MemoryObjects {
  race = async (): Promise<void> => {}

  override async create(...object: Parameters<MemoryObjects['create']>): ReturnType<MemoryObjects['create']> {
    const { race } = this
    this.race = async () => {}
    await race()
    return super.create(...object)
  }
}

async function site() {
  const objects = new RacedObjects()
  const world = testWorld({ objects })
  const table = await keyedTable(world, undefined, 2)
  const other = testKv(world)
  const { kv, log } = testKv(world)
  const functionWorld = { ...world, kv, log, tables: new TableCache(world), meter: new Meter(), rotate: () => 0 }
  const produce = async (lines: string, headers: Record<string, string> = {}) => {
    const call = { params: { db: 'd', table: 't' }, query: {}, headers: { 'content-type': media.ndjson, ...headers } }
    const { body } = await records({ ...call, body: utf8(lines) } as never, functionWorld as unknown as FunctionWorld)
    return JSON.parse(utf8Text(joined(body as readonly Uint8Array[])))
  }
  return { world, objects, table, other, produce }
}

test.each([
  ['without a producer', {}],
  ['of a producer', { 'producer-id': 'p', 'producer-seq': '0' }],
])('a request %s whose race in one bucket is lost to rows of newer columns is finished in these', async (_, headers) => {
  const { world, objects, table, other, produce } = await site()
  const keys = ['k0', 'k1', 'k2', 'k3', 'k4', 'k5']
  objects.race = async () => {
    const newer = await alterTable(world, 'd', 't', { addColumns: [{ name: 'more', type: 'string' }] })
    const { parts } = routedOf(
      newer,
      keys.map((key) => [key, 9n, 'theirs', 'm']),
    )
    await other.kv.upsert(newer, { op: 'upsert', parts: parts.filter(({ bucket }) => bucket === 0) })
  }
  const { buckets, duplicate } = await produce(keys.map((k) => JSON.stringify({ k, v: 1 })).join('\n'), headers)
  expect([buckets.map(({ effect }: { effect: string }) => effect), duplicate]).toEqual([['done', 'done'], false])
  expect(buckets.every((bucket: { duplicate: boolean }) => !bucket.duplicate)).toBe(true)
  const newest = await getTable(world, 'd', 't')
  const changes = await Promise.all([0, 1].map((bucket) => changesIn(other.log, newest, bucket)))
  const last = new Map(changes.flat().map(({ op, row }) => [plainOf(row[0]), `${op} ${row[1]} ${plainOf(row[2])}`]))
  expect(keys.map((key) => last.get(key))).toEqual(keys.map((key) => (routedTo(table, key) === 0 ? '+U 1 null' : '+I 1 null')))
  expect(changes.flat()).toHaveLength(keys.reduce((sum, key) => sum + (routedTo(table, key) === 0 ? 3 : 1), 0))
})
