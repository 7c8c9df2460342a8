/** `sluice lookup`: rows by key and by the beginning of it, and what it says where there is none. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { lines, makeTable, memorySite, ndjson, type Site } from './harness.ts'
import { sluice } from './sluice.ts'

let site: Site
beforeAll(async () => {
  site = await memorySite()
  const columns = [
    { name: 'city', type: 'string' },
    { name: 'n', type: 'int' },
    { name: 'flights', type: 'bigint' },
  ]
  const path = await makeTable(site.client, 'keyed', { columns, primaryKey: ['city', 'n'], buckets: { key: ['city'] } })
  const rows = [1, 2].map((n) => ({ city: 'oslo', n, flights: 10 * n }))
  await site.client.send('POST', `${path}/records`, { body: lines(rows), headers: ndjson })
})
afterAll(() => site.close())

const lookup = (...args: string[]) => sluice({ url: site.running.url }, 'lookup', 'd.keyed', ...args, '--json').ended

test('the row of a key, some of its columns, and all rows of a bucket key', async () => {
  expect(await lookup('city=oslo', 'n=2')).toMatchObject({ status: 0, out: '{"city":"oslo","n":2,"flights":"20"}\n' })
  expect(await lookup('city=oslo', 'n=1', '--columns', 'flights')).toMatchObject({ status: 0, out: '{"flights":"10"}\n' })
  const prefix = await lookup('city=oslo', '--prefix', '--columns', 'n')
  expect(prefix).toMatchObject({ status: 0, out: '{"n":1}\n{"n":2}\n' })
})

test('no row, half a key and a column that is not there are said', async () => {
  expect(await lookup('city=oslo', 'n=3')).toMatchObject({ status: 1, out: '', err: 'no row has this key\n' })
  expect((await lookup('city=oslo')).err).toMatch(/n/)
  expect((await lookup('cty=oslo', 'n=1')).err).toMatch(/cty/)
  expect(await lookup('city')).toMatchObject({ status: 2 })
})
