/** Partitions over HTTP: made by rows or by hand, listed, read, dropped, made again; names to the letter. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { diskSite, lines, ndjson, readLines, type Site } from './harness.ts'

let site: Site
beforeAll(async () => {
  site = await diskSite()
  await site.client.put('/v1/databases/d')
})
afterAll(async () => {
  await site.close()
})

const columns = [
  { name: 'id', type: 'bigint', nullable: false },
  { name: 'dt', type: 'date' },
  { name: 'city', type: 'string' },
]

async function table(name: string, more: object = {}): Promise<string> {
  const path = `/v1/databases/d/tables/${name}`
  const { status, text } = await site.client.put(path, { columns, partitionBy: ['dt', 'city'], ...more })
  if (status !== 201) throw new Error(text)
  return path
}

const produce = (path: string, rows: readonly object[], query = '', headers: Record<string, string> = {}) =>
  site.client.send('POST', `${path}/records${query}`, { body: lines(rows), headers: { ...ndjson, ...headers } })
const part = (name: string): string => name.split('/').map(encodeURIComponent).join('/')
const log = (path: string, name: string, more = '') =>
  site.client.get(`${path}/log?bucket=0&offset=earliest&partition=${encodeURIComponent(name)}${more}`)

const day = 'dt=2026-11-21/city=Ulm'

test('rows make their partitions, an answer names each, and each is read by its name', async () => {
  const path = await table('rows')
  expect((await site.client.get(path)).json.partitionBy).toEqual(['dt', 'city'])
  const { status, json } = await produce(path, [
    { id: 1, dt: '2026-11-21', city: 'Ulm' },
    { id: 2, dt: '2026-11-21', city: 'Köln/Deutz' },
    { id: 3, dt: '2026-11-21', city: 'Ulm' },
    { id: 4 },
  ])
  expect(status).toBe(200)
  expect(
    json.buckets.map(({ partition, baseOffset, endOffset }: Record<string, string>) => [partition, baseOffset, endOffset]),
  ).toEqual([
    [day, '0', '2'],
    ['dt=2026-11-21/city=Köln%2FDeutz', '0', '1'],
    ['dt=__HIVE_DEFAULT_PARTITION__/city=__HIVE_DEFAULT_PARTITION__', '0', '1'],
  ])
  expect(readLines((await log(path, day)).text).map(({ id }) => id)).toEqual(['1', '3'])
  const { text } = await log(path, 'dt=2026-11-21/city=Köln%2FDeutz', '&limit=1')
  expect(readLines(text)).toMatchObject([{ id: '2', city: 'Köln/Deutz' }])
})

test('partitions are added, listed in pages, and dropped', async () => {
  const path = await table('by-hand')
  const names = ['dt=2026-11-20/city=A', 'dt=2026-11-21/city=A', 'dt=2026-11-21/city=B%2FC']
  for (const name of names) expect((await site.client.put(`${path}/partitions/${part(name)}`)).status).toBe(201)
  expect((await site.client.put(`${path}/partitions/${part(names[0] ?? '')}`)).status).toBe(200)
  expect((await site.client.get(`${path}/partitions`)).json).toEqual({ partitions: names, next: null })
  const first = (await site.client.get(`${path}/partitions?limit=2`)).json
  expect(first).toEqual({ partitions: names.slice(0, 2), next: names[1] })
  const rest = (await site.client.get(`${path}/partitions?limit=2&after=${encodeURIComponent(first.next)}`)).json
  expect(rest).toEqual({ partitions: names.slice(2), next: null })
  expect((await site.client.send('DELETE', `${path}/partitions/${part(names[2] ?? '')}`)).status).toBe(204)
  expect((await site.client.send('DELETE', `${path}/partitions/${part(names[2] ?? '')}`)).status).toBe(404)
  expect((await site.client.send('DELETE', `${path}/partitions/${part(names[2] ?? '')}?ifExists=true`)).status).toBe(204)
  expect((await site.client.get(`${path}/partitions`)).json.partitions).toEqual(names.slice(0, 2))
})

test('a partition that is made again goes on where its offsets ended, and a reader of the old one is told', async () => {
  const path = await table('again')
  const row = { id: 1, dt: '2026-11-21', city: 'Ulm' }
  await produce(path, [row, row])
  expect((await site.client.send('DELETE', `${path}/partitions/${part(day)}`)).status).toBe(204)
  expect((await log(path, day)).status).toBe(404)
  const { json } = await produce(path, [row])
  expect(json.buckets).toEqual([{ partition: day, bucket: 0, baseOffset: '2', endOffset: '3' }])
  const { headers, text } = await log(path, day)
  expect([headers['sluice-start-offset'], readLines(text).length]).toEqual(['2', 1])
  expect((await site.client.get(`${path}/log?bucket=0&offset=0&partition=${encodeURIComponent(day)}`)).status).toBe(416)
})

test('offsets are paged over partitions and buckets', async () => {
  const path = await table('paged', { buckets: { count: 3 } })
  for (const city of ['A', 'B']) await site.client.put(`${path}/partitions/${part(`dt=2026-11-21/city=${city}`)}`)
  const seen: string[] = []
  for (let after: string | null = ''; after !== null; ) {
    const { json } = await site.client.get(`${path}/offsets?limit=2${after === '' ? '' : `&after=${encodeURIComponent(after)}`}`)
    seen.push(...json.buckets.map(({ partition, bucket }: { partition: string; bucket: number }) => `${partition} ${bucket}`))
    after = json.next
  }
  expect(seen).toEqual(['A', 'B'].flatMap((city) => [0, 1, 2].map((bucket) => `dt=2026-11-21/city=${city} ${bucket}`)))
})

test('gaps are seen in one bucket of one partition, and rows that belong elsewhere change nothing', async () => {
  const path = await table('gaps')
  const row = { id: 1, dt: '2026-11-21', city: 'Ulm' }
  const query = `?bucket=0&partition=${encodeURIComponent(day)}`
  const producer = (seq: number) => ({ 'Producer-Id': 'p', 'Producer-Seq': String(seq) })
  expect((await produce(path, [row], query, producer(4))).status).toBe(200)
  const gap = await produce(path, [row], query, producer(6))
  expect([gap.status, gap.json.error.code, gap.json.error.facts.expected]).toEqual([409, 'sequence-gap', '5'])
  const elsewhere = await produce(path, [row, { ...row, city: 'Bonn' }], query, producer(5))
  expect([elsewhere.status, elsewhere.json.error.code]).toEqual([400, 'invalid-rows'])
  expect(elsewhere.json.error.message).toContain('row 1 belongs to partition')
  expect((await site.client.get(`${path}/partitions`)).json.partitions).toEqual([day])
  const bare = await produce(path, [row], '?bucket=0', producer(5))
  expect([bare.status, bare.json.error.message]).toEqual([400, expect.stringContaining('partition=')])
})

describe('a name that does not fit is refused, with the fix', () => {
  test.each([
    ['dt=2026-11-21', 'dt=…/city=…'],
    ['city=A/dt=2026-11-21', 'dt=…/city=…'],
    ['dt=2026-13-21/city=A', 'a date is written'],
    ['dt=2026-11-21/city=a:b', 'dt=…/city=…'],
    ['dt=2026-11-21/city=a%3ab', 'dt=…/city=…'],
    ['x', 'dt=…/city=…'],
  ])('%s', async (name, fix) => {
    const path = '/v1/databases/d/tables/names'
    await site.client.put(path, { columns, partitionBy: ['dt', 'city'] })
    const { status, json } = await site.client.put(`${path}/partitions/${part(name)}`)
    expect([status, json.error.code]).toEqual([400, 'invalid-name'])
    expect(json.error.message).toContain(fix)
  })
})

test('1,000 partitions are made and listed in little time, one transaction of two items each', async () => {
  const path = await table('many')
  const rows = Array.from({ length: 1_000 }, (_, i) => ({ id: i, dt: '2026-11-21', city: `c${i}` }))
  const { status, headers } = await produce(path, rows)
  expect(status).toBe(200)
  expect(headers['sluice-requests']).toContain('items.transact=2000')
  expect((await site.client.get(`${path}/partitions?limit=1000`)).json.partitions).toHaveLength(1_000)
  const full = await produce(path, [{ id: 1, dt: '2026-11-22', city: 'one too many' }])
  expect([full.status, full.json.error.code, full.json.error.effect]).toEqual([507, 'full', 'none'])
})

test('with a lake each bucket of a partition has its tier point, and a drop says what becomes of its rows there', async () => {
  const path = await table('lake', { options: { 'lake.format': 'iceberg' } })
  await produce(path, [
    { id: 1, dt: '2026-11-21', city: 'Ulm' },
    { id: 2, dt: '2026-11-22', city: 'Ulm' },
    { id: 3, dt: '2026-11-22', city: 'Ulm' },
  ])
  const { status, json } = await site.client.send('POST', `${path}/tier?wait=20s`)
  expect([status, json.lagRows]).toEqual([200, 0])
  const points = async (route: string) =>
    (await site.client.get(`${path}/${route}`)).json.buckets.map(({ partition, tierPoint }: Record<string, string>) => [
      partition,
      tierPoint,
    ])
  const other = 'dt=2026-11-22/city=Ulm'
  expect(await points('tier')).toEqual([
    [day, '1'],
    [other, '2'],
  ])
  expect(await points('offsets')).toEqual(await points('tier'))
  const rowsInLake = async () => {
    const { metadata } = (await site.client.get('/iceberg/v1/namespaces/d/tables/lake')).json
    return metadata.snapshots.at(-1).summary['total-records']
  }
  expect((await site.client.send('DELETE', `${path}/partitions/${part(day)}?keepLake=true`)).status).toBe(204)
  expect(await rowsInLake()).toBe('3')
  expect((await site.client.send('DELETE', `${path}/partitions/${part(other)}`)).status).toBe(204)
  expect(await rowsInLake()).toBe('1')
  expect(await points('tier')).toEqual([])
  await produce(path, [{ id: 4, dt: '2026-11-22', city: 'Ulm' }])
  await site.client.send('POST', `${path}/tier?wait=20s`)
  expect(await points('tier')).toEqual([[other, '3']])
  expect(await rowsInLake()).toBe('2')
})
