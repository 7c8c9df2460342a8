/** Rows of a table with a primary key, page by page: each bucket at one offset, and the places that scans take. */
import { expect, test } from 'vitest'
import { makeTable, readLines, siteOfFile } from './harness.ts'
import { callsOf, columns, keyed, oslo, rome } from './keyed-flights.ts'

const site = await siteOfFile()
const { send } = callsOf(site)

test('rows come a page at a time, each bucket at one offset while rows change, filtered and chosen', async () => {
  const path = await makeTable(site.client, 'pages', keyed)
  const all = Array.from({ length: 60 }, (_, i) => ({
    city: `c${i % 9}`,
    day: `2026-10-${String(10 + (i % 20))}`,
    flights: i,
    note: null,
  }))
  await send(path, all)
  const seen: Record<string, unknown>[] = []
  for (let cursor = ''; ; ) {
    const { text, headers } = await site.client.get(`${path}/rows?limit=7${cursor}`)
    seen.push(...readLines(text))
    if (headers['sluice-cursor'] === undefined) break
    await send(path, all.slice(0, 20), '?op=delete')
    await send(path, all.slice(0, 20))
    cursor = `&cursor=${String(headers['sluice-cursor'])}`
  }
  const keyOf = ({ city, day }: Record<string, unknown>) => `${String(city)} ${String(day)}`
  const newest = new Map(all.map((row) => [keyOf(row), { ...row, flights: `${row.flights}` }]))
  expect(new Map(seen.map((row) => [keyOf(row), row]))).toEqual(newest)
  expect(seen.length).toBe(newest.size)
  const some = await site.client.get(`${path}/rows?columns=flights&where=${encodeURIComponent("city = 'c3' and flights > 20")}`)
  expect(readLines(some.text).map(({ flights }) => Number(flights))).toEqual(
    [...newest.values()]
      .filter(({ city, flights }) => city === 'c3' && Number(flights) > 20)
      .sort((a, b) => (a.day < b.day ? -1 : 1))
      .map(({ flights }) => Number(flights)),
  )
  expect((await site.client.get(`${path}/rows?cursor=abc`)).json.error.code).toBe('bad-cursor')
})

test('rows are read as often as one likes: a scan that came to its end takes no place', async () => {
  const path = await makeTable(site.client, 'often', { ...keyed, buckets: { count: 2, key: ['city'] } })
  await send(path, [{ ...oslo }, { ...rome }])
  for (let i = 0; i < 20; i++) expect((await site.client.get(`${path}/rows`)).status).toBe(200)
  const one = await makeTable(site.client, 'exactly', { ...keyed, buckets: { count: 1, key: ['city'] } })
  await send(one, [{ ...oslo }, { ...rome }])
  for (let i = 0; i < 20; i++) {
    const { status, headers } = await site.client.get(`${one}/rows?limit=2`)
    expect([status, headers['sluice-cursor']]).toEqual([200, undefined])
  }
})

test('scans of several pages that came to their end take no place, and the last page can be asked for again', async () => {
  const path = await makeTable(site.client, 'through', { ...keyed, buckets: { count: 1, key: ['city'] } })
  await send(path, [{ ...oslo }, { ...rome }])
  for (let i = 0; i < 9; i++) {
    const first = await site.client.get(`${path}/rows?limit=1`)
    expect([first.status, readLines(first.text)]).toMatchObject([200, [{ city: 'oslo' }]])
    const cursor = encodeURIComponent(first.headers['sluice-cursor'] ?? '')
    for (let repeat = 0; repeat < 2; repeat++) {
      const last = await site.client.get(`${path}/rows?limit=1&cursor=${cursor}`)
      expect([last.status, last.headers['sluice-cursor'], readLines(last.text)]).toMatchObject([
        200,
        undefined,
        [{ city: 'rome' }],
      ])
    }
  }
})

test('scans that went on and are not followed take eight places of a bucket, and the answer says until when', async () => {
  const path = await makeTable(site.client, 'left', { ...keyed, buckets: { count: 1, key: ['city'] } })
  await send(path, [{ ...oslo }, { ...rome }, { ...rome, city: 'ulm' }])
  const page = async (cursor = '') => {
    const answer = await site.client.get(`${path}/rows?limit=1${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`)
    return { ...answer, cursor: answer.headers['sluice-cursor'] ?? '' }
  }
  for (let i = 0; i < 20; i++) expect((await page()).status).toBe(200)
  const first = await page((await page()).cursor)
  for (let i = 0; i < 7; i++) expect((await page((await page()).cursor)).status).toBe(200)
  const { status, json, headers } = await page()
  expect([status, json.error.code]).toEqual([429, 'throttled'])
  expect(headers['retry-after']).toBe(String(json.error.facts.retryAfterSeconds))
  expect(json.error.facts.retryAfterSeconds).toBeGreaterThan(500)
  expect(readLines((await page(first.cursor)).text)).toMatchObject([{ city: 'ulm' }])
})

test('a scan that its reader ends gives its place back, and has no more rows', async () => {
  const path = await makeTable(site.client, 'ended', { ...keyed, buckets: { count: 1, key: ['city'] } })
  await send(path, [{ ...oslo }, { ...rome }])
  for (let i = 0; i < 10; i++) {
    const first = await site.client.get(`${path}/rows?limit=1`)
    expect(first.status).toBe(200)
    const cursor = encodeURIComponent(first.headers['sluice-cursor'] ?? '')
    for (let repeat = 0; repeat < 2; repeat++) {
      const { status, text, headers } = await site.client.get(`${path}/rows?cursor=${cursor}&end=true`)
      expect([status, text, headers['sluice-rows'], headers['sluice-cursor']]).toEqual([200, '', '0', undefined])
    }
    expect((await site.client.get(`${path}/rows?cursor=${cursor}`)).status).toBe(410)
  }
})

test('partitions whose names sort otherwise as UTF-16 are paged once each', async () => {
  const p = { name: 'p', type: 'string' }
  const path = await makeTable(site.client, 'orders', {
    columns: [...columns, p],
    primaryKey: ['city', 'day', 'p'],
    partitionBy: ['p'],
  })
  const names = ['a', '～', '😀']
  await send(
    path,
    names.flatMap((name) => [1, 2, 3].map((day) => ({ city: 'x', day: `2026-11-0${day}`, p: name }))),
  )
  const seen: string[] = []
  for (let cursor = '', pages = 0; pages < 20; pages++) {
    const { text, headers } = await site.client.get(`${path}/rows?limit=2${cursor}`)
    seen.push(...readLines(text).map((row) => `${row.p} ${row.day}`))
    if (headers['sluice-cursor'] === undefined) break
    cursor = `&cursor=${encodeURIComponent(headers['sluice-cursor'])}`
  }
  expect(seen).toHaveLength(9)
  expect(new Set(seen).size).toBe(9)
})

test('rows without values under long names are answered in pages of 4 MiB, and a lookup of too many is refused', async () => {
  const wide = Array.from({ length: 300 }, (_, i) => ({ name: `${'名'.repeat(150)}${i}`, type: 'int' }))
  const path = await makeTable(site.client, 'names', { columns: [{ name: 'k', type: 'int' }, ...wide], primaryKey: ['k'] })
  const keys = Array.from({ length: 200 }, (_, k) => ({ k }))
  await send(path, keys)
  const seen: unknown[] = []
  for (let cursor = ''; ; ) {
    const { bytes, headers } = await site.client.raw('GET', `${path}/rows?${cursor}`)
    expect(bytes.length).toBeLessThanOrEqual(4 * 2 ** 20)
    seen.push(...readLines(bytes.toString()).map(({ k }) => k))
    if (headers['sluice-cursor'] === undefined) break
    cursor = `cursor=${headers['sluice-cursor']}`
  }
  expect(seen).toEqual(keys.map(({ k }) => k))
  const lookup = (body: object) => site.client.send('POST', `${path}/lookup`, { json: body })
  const { status, json } = await lookup({ keys })
  expect([status, json.error.code, json.error.effect]).toEqual([413, 'too-large', 'none'])
  expect((await lookup({ keys, columns: ['k'] })).json.rows).toEqual(keys)
})
