/** A table into its lake, by calls alone, over a directory and SQLite. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { diskSite, lines, makeTable, ndjson, type Site } from './harness.ts'

let site: Site
beforeAll(async () => {
  site = await diskSite()
})
afterAll(async () => {
  expect(site.defects).toEqual([])
  await site.close()
})

test('POST …/tier commits every row that was there, and the offsets say so', async () => {
  const { client } = site
  const path = await makeTable(client, 'lake', { options: { 'lake.format': 'iceberg' }, buckets: { count: 2, key: ['id'] } })
  expect((await client.get(`${path}/tier`)).json).toMatchObject({ state: 'idle', lagRows: 0, snapshot: null })
  const rows = Array.from({ length: 500 }, (_, id) => ({ id, text: `row ${id}` }))
  await client.send('POST', `${path}/records`, { body: lines(rows), headers: ndjson })
  expect((await client.get(`${path}/tier`)).json).toMatchObject({ lagRows: 500 })
  const tiered = await client.send('POST', `${path}/tier?wait=20s`)
  expect(tiered.status).toBe(200)
  expect(tiered.json).toMatchObject({ lagRows: 0, lagMs: 0, lastError: null })
  expect(tiered.json.snapshot).toMatch(/^[0-9]+$/)
  for (const bucket of (await client.get(`${path}/offsets`)).json.buckets) expect(bucket.tierPoint).toBe(bucket.end)
  expect((await client.send('POST', `${path}/tier`)).status).toBe(200)
  await client.send('POST', `${path}/records`, { body: lines(rows), headers: ndjson })
  expect([200, 202]).toContain((await client.send('POST', `${path}/tier`)).status)
  expect((await client.send('POST', `${path}/tier?wait=20s`)).status).toBe(200)
})

test('a freshness that has passed is enough', async () => {
  const { client } = site
  const path = await makeTable(client, 'fresh', { options: { 'lake.format': 'iceberg', 'lake.freshness': '100ms' } })
  await client.send('POST', `${path}/records`, { body: '{"id":1}', headers: ndjson })
  await expect
    .poll(async () => (await client.get(`${path}/offsets`)).json.buckets[0].tierPoint, { timeout: 15_000, interval: 200 })
    .toBe('1')
})
