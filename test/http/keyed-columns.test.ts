/** Columns of a keyed table that are added, dropped, renamed and widened, over rows in a snapshot and in the changelog. */
import { expect, test } from 'vitest'
import { lines, makeTable, memorySite, ndjson, readLines, type Site } from './harness.ts'

const body = {
  columns: [
    { name: 'city', type: 'string' },
    { name: 'day', type: 'int' },
    { name: 'n', type: 'int' },
    { name: 'gone', type: 'string' },
    { name: 'note', type: 'string' },
  ],
  primaryKey: ['city', 'day'],
  buckets: { count: 1, key: ['city'] },
  options: { 'merge-engine': 'aggregation', 'fields.n.agg': 'sum' },
}
const change = {
  addColumns: [{ name: 'more', type: 'bigint' }],
  dropColumns: ['gone'],
  renameColumns: { n: 'total', city: 'town' },
  widenColumns: { n: 'bigint' },
}

async function readsOf({ client }: Site, path: string): Promise<Record<string, unknown>> {
  const post = async (where: string, keys: readonly object[]) =>
    (await client.send('POST', `${path}/${where}`, { json: { keys } })).json
  const rows = async (where: string) => readLines((await client.get(`${path}/rows?where=${encodeURIComponent(where)}`)).text)
  return {
    lookup: (await post('lookup', [{ town: 'oslo', day: 0 }])).rows[0],
    byTheNameOfBefore: (await post('lookup', [{ city: 'oslo', day: 0 }])).rows[0],
    prefix: (await post('lookup/prefix', [{ town: 'oslo' }])).rows[0],
    rows: await rows('day >= 0'),
    filtered: (await rows('total > 19 and more is null')).map(({ town, day }) => `${town} ${day}`),
    count: (await client.get(`${path}/rows?count=true`)).json.count,
  }
}

const row = (town: string, day: number, total: string | null, note: string | null, more: string | null) => ({
  town,
  day,
  total,
  note,
  more,
})

function readsAs(rows: readonly ReturnType<typeof row>[], filtered: readonly string[]): Record<string, unknown> {
  const [first, second] = rows
  return { lookup: first, byTheNameOfBefore: first, prefix: [first, second], rows, filtered, count: '3' }
}

test('rows of before have the columns of now wherever they are read, and go on being merged', async () => {
  const site = await memorySite()
  const path = await makeTable(site.client, 'columns', body)
  const send = (rows: readonly object[]) => site.client.send('POST', `${path}/records`, { body: lines(rows), headers: ndjson })
  for (let i = 0; i < 40; i++) await send([{ city: 'oslo', day: i % 2, n: 1, gone: 'g', note: `old ${i % 2}` }])
  await expect
    .poll(async () => (await site.client.get('/metrics')).text, { timeout: 15_000 })
    .toMatch(/sluice_snapshots_published_total [1-9]/)
  await send([{ city: 'rome', day: 0, n: 5, gone: 'g' }])
  expect((await site.client.send('PATCH', path, { json: change })).status).toBe(200)
  const before = [row('oslo', 0, '20', 'old 0', null), row('oslo', 1, '20', 'old 1', null), row('rome', 0, '5', null, null)]
  expect(await readsOf(site, path)).toEqual(readsAs(before, ['oslo 0', 'oslo 1']))

  const { json } = await send([
    { town: 'oslo', day: 0, total: '9007199254740993', more: 7 },
    { city: 'oslo', day: 1, n: 1, gone: 'passed over' },
  ])
  const { text } = await site.client.get(`${path}/log?bucket=0&offset=${json.buckets[0].baseOffset}`)
  const now = [row('oslo', 0, '9007199254741013', 'old 0', '7'), row('oslo', 1, '21', 'old 1', null), before[2]]
  expect(readLines(text).map(({ __offset, __timestamp, ...rest }) => rest)).toEqual([
    { ...before[0], __op: '-U' },
    { ...now[0], __op: '+U' },
    { ...before[1], __op: '-U' },
    { ...now[1], __op: '+U' },
  ])
  const all = await site.client.get(
    `${path}/log?bucket=0&offset=earliest&columns=total,more&where=${encodeURIComponent('total = 20')}`,
  )
  expect(readLines(all.text).map(({ total, more, __op }) => [total, more, __op])).toEqual([
    ['20', null, '+U'],
    ['20', null, '+U'],
    ['20', null, '-U'],
    ['20', null, '-U'],
  ])
  const expected = readsAs(now as readonly ReturnType<typeof row>[], ['oslo 1'])
  expect(await readsOf(site, path)).toEqual(expected)
  await site.running.stop()
  const cold = await site.reopen()
  expect(await readsOf(cold, path)).toEqual(expected)
  expect([...site.defects, ...cold.defects]).toEqual([])
  await cold.close()
  await site.close()
})

test('who knows the columns of before goes on writing parts of rows: a renamed one is found, a dropped one is passed over', async () => {
  const site = await memorySite()
  const path = await makeTable(site.client, 'parts', body)
  const send = (row: object, query: string) =>
    site.client.send('POST', `${path}/records?${query}`, { body: lines([row]), headers: ndjson })
  await send({ city: 'oslo', day: 1, n: 1, gone: 'g', note: 'old' }, '')
  expect((await site.client.send('PATCH', path, { json: change })).status).toBe(200)
  expect((await send({ city: 'oslo', day: 1, n: 2, gone: 'g' }, 'columns=city,day,n,gone')).status).toBe(200)
  expect((await send({ city: 'oslo', day: 1, gone: 'g' }, 'columns=city,day,gone')).json.buckets).toMatchObject([
    { baseOffset: '3', endOffset: '3' },
  ])
  expect((await send({ city: 'rome', day: 0, gone: 'g' }, 'columns=city,day,gone')).status).toBe(200)
  expect((await send({ city: 'oslo', day: 1, n: 1 }, 'columns=city,day,n,total')).json.error).toMatchObject({
    code: 'bad-request',
    message: 'columns: "total" is named twice',
    effect: 'none',
  })
  expect(readLines((await site.client.get(`${path}/rows`)).text)).toEqual([
    row('oslo', 1, '3', 'old', null),
    row('rome', 0, null, null, null),
  ])
  await site.close()
})
