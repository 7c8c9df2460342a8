/** A process that read a table before its columns changed: it judges nobody by the columns of before. */
import { expect, test } from 'vitest'
import { media } from '../contract/media.ts'
import { alterTable } from '../core/catalog/tables.ts'
import { joined, utf8, utf8Text } from '../core/kernel/bytes.ts'
import { keyedTable, testKv, testWorld, upsertOf } from '../core/kv/world.case.ts'
import type { Reply } from './call.ts'
import { records } from './ingest/records.ts'
import { lookup, lookupPrefix } from './keyed/lookup.ts'
import { rows } from './keyed/rows.ts'
import { Meter } from './meter.ts'
import { fetchLog } from './read/log.ts'
import { TableCache } from './tables.ts'
import { type FunctionWorld, processWaits } from './world.ts'

const params = { db: 'd', table: 't' }
const signal = new AbortController().signal

const textOf = ({ body }: Reply): string =>
  body instanceof Uint8Array ? utf8Text(body) : utf8Text(joined(body as readonly Uint8Array[]))

/** Of a table whose `v` is wider and another `more` is there than the process knows; it has one row. */
async function site(options: Record<string, string> = {}) {
  const world = testWorld()
  const body = {
    columns: [
      { name: 'k', type: 'string', nullable: false },
      { name: 'sub', type: 'int', nullable: false },
      { name: 'v', type: 'int' },
    ],
    primaryKey: ['k', 'sub'],
    buckets: { key: ['k'] },
    options,
  }
  const table = await keyedTable(world, body)
  const { kv, log } = testKv(world)
  await kv.upsert(table, upsertOf(table, [['a', 1, 5]]))
  const own = { kv, log, tables: new TableCache(world), meter: new Meter(), waits: processWaits, rotate: () => 0 }
  const functionWorld = { ...world, ...own } as unknown as FunctionWorld
  await functionWorld.tables.get('d', 't')
  const change = { addColumns: [{ name: 'more', type: 'int' }], widenColumns: { v: 'bigint' }, renameColumns: { sub: 'part' } }
  await alterTable(world, 'd', 't', change)
  const call = (more: object) => ({ params, query: {}, headers: {}, wants: media.json, signal, ...more }) as never
  const produce = (row: object, query = {}) =>
    records(call({ body: utf8(JSON.stringify(row)), headers: { 'content-type': media.ndjson }, query }), functionWorld)
  return { functionWorld, call, produce }
}

test.each<[string, (made: Awaited<ReturnType<typeof site>>) => Promise<Reply>, RegExp]>([
  [
    'a lookup of a column',
    ({ call, functionWorld }) => lookup(call({ value: { keys: [{ k: 'a', part: 1 }], columns: ['more', 'v'] } }), functionWorld),
    /^\{"rows":\[\{"more":null,"v":"5"\}\]/,
  ],
  [
    'a lookup by a prefix',
    ({ call, functionWorld }) => lookupPrefix(call({ value: { keys: [{ k: 'a' }], columns: ['part'] } }), functionWorld),
    /^\{"rows":\[\[\{"part":1\}\]\]/,
  ],
  [
    'rows by a filter',
    ({ call, functionWorld }) => rows(call({ query: { where: 'more is null', columns: 'v,more' } }), functionWorld),
    /^\{"rows":\[\{"v":"5","more":null\}\]\}$/,
  ],
  [
    'a fetch of a column',
    ({ call, functionWorld }) => fetchLog(call({ query: { bucket: '0', offset: '0', columns: 'more' } }), functionWorld),
    /"more":null/,
  ],
  ['a row with a column', ({ produce }) => produce({ k: 'b', part: 1, more: 1 }), /"endOffset":"2"/],
  ['a row with a larger value', ({ produce }) => produce({ k: 'b', sub: 1, v: '9007199254740993' }), /"endOffset":"2"/],
  ['a part of a row', ({ produce }) => produce({ k: 'a', part: 1, more: 1 }, { columns: 'k,part,more' }), /"endOffset":"3"/],
])('%s that came after the process read the table is taken', async (_, ask, answer) => {
  const reply = await ask(await site())
  expect(reply.status).toBe(200)
  expect(textOf(reply)).toMatch(answer)
})

test('a sum that fits the column of now is taken', async () => {
  const { produce } = await site({ 'merge-engine': 'aggregation', 'fields.v.agg': 'sum' })
  const reply = await produce({ k: 'a', sub: 1, v: 2 ** 31 - 1 })
  expect([reply.status, textOf(reply)]).toEqual([200, expect.stringContaining('"endOffset":"3"')])
})

test('what is wrong in the columns of now as well is refused by those', async () => {
  const { call, functionWorld, produce } = await site()
  await expect(produce({ k: 'b', mor: 1 })).rejects.toMatchObject({ message: expect.stringContaining('did you mean "more"?') })
  functionWorld.tables.forgetAll()
  const asked = lookup(call({ value: { keys: [], columns: ['nothing'] } }), functionWorld)
  await expect(asked).rejects.toMatchObject({ code: 'bad-request', effect: 'none' })
})
