/** `sluice table` and `sluice partition`: what flags ask for, and what comes back. */
import { beforeAll, expect, test } from 'vitest'
import { makeTable, siteOfFile } from './harness.ts'
import { sluice } from './sluice.ts'

const site = await siteOfFile()
beforeAll(async () => {
  await site.client.put('/v1/databases/d')
})

const run = (...args: string[]) => sluice({ url: site.running.url }, ...args).ended
const describe = async (table: string) => (await site.client.get(`/v1/databases/d/tables/${table}`)).json

test('flags make a table as the JSON of the contract does', async () => {
  const columns = [
    '--column',
    'id bigint not null',
    '--column',
    '"a name" row<x int, y string>',
    '--column',
    'dt string NOT NULL',
  ]
  const more = ['--partition-by', 'dt', '--buckets', '3', '--bucket-key', 'id', '--option', 'lake.freshness=7m']
  expect(await run('table', 'create', 'd.flags', ...columns, ...more)).toMatchObject({ status: 0, err: '' })
  expect(await describe('flags')).toMatchObject({
    columns: [
      { name: 'id', type: 'bigint', nullable: false },
      { name: 'a name', type: 'row<x int, y string>', nullable: true },
      { name: 'dt', type: 'string', nullable: false },
    ],
    partitionBy: ['dt'],
    buckets: { count: 3, key: ['id'] },
    options: { 'lake.freshness': '7m' },
  })
})

test('flags stand beside JSON', async () => {
  const specification = JSON.stringify({ columns: [{ name: 'a', type: 'int' }], buckets: { count: 2 } })
  await run('table', 'create', 'd.both', specification, '--column', 'b string', '--bucket-key', 'a')
  expect(await describe('both')).toMatchObject({ columns: [{ name: 'a' }, { name: 'b' }], buckets: { count: 2, key: ['a'] } })
})

test('a table is altered by flags, all at once, and only while its schema is the one that was seen', async () => {
  const columns = [
    { name: 'a', type: 'int' },
    { name: 'b', type: 'string' },
    { name: 'c', type: 'string' },
  ]
  await makeTable(site.client, 'altered', { columns, options: { 'lake.freshness': '7m' } })
  const flags = ['--add-column', 'd double', '--add-column', 'e array<int>', '--drop-column', 'c', '--rename-column', 'b=name']
  const more = ['--widen-column', 'a bigint', '--set', 'lake.bytes=32MiB', '--unset', 'lake.freshness', '--if-match', '1']
  expect(await run('table', 'alter', 'd.altered', ...flags, ...more)).toMatchObject({ status: 0, err: '' })
  const table = await describe('altered')
  expect(table.columns.map(({ name, type }: { name: string; type: string }) => `${name} ${type}`)).toEqual([
    'a bigint',
    'name string',
    'd double',
    'e array<int>',
  ])
  expect(table.options).toMatchObject({ 'lake.bytes': '32MiB', 'lake.freshness': '3m' })
  expect(await run('table', 'alter', 'd.altered', '--set', 'lake.bytes=1MiB', '--if-match', '1')).toMatchObject({
    status: 1,
    err: expect.stringContaining('changed'),
  })
})

test('partitions are added, listed and dropped by their names', async () => {
  const columns = [
    { name: 'country', type: 'string', nullable: false },
    { name: 'dt', type: 'date', nullable: false },
  ]
  await makeTable(site.client, 'parts', { columns, partitionBy: ['country', 'dt'] })
  const names = ['country=CH/dt=2026-11-21', 'country=a%2Fb/dt=2026-11-21']
  for (const name of names) expect(await run('partition', 'add', 'd.parts', name)).toMatchObject({ status: 0, err: '' })
  const listed = async () => JSON.parse((await run('partition', 'list', 'd.parts', '--json')).out).partitions
  expect(await listed()).toEqual(names)
  for (const name of names) expect(await run('partition', 'drop', 'd.parts', name)).toMatchObject({ status: 0, err: '' })
  expect(await listed()).toEqual([])
})

test('a list is shown whole, however many pages it has', async () => {
  await makeTable(site.client, 'buckets', { buckets: { count: 1024 } })
  const { status, out } = await run('offsets', 'd.buckets', '--json')
  expect([status, JSON.parse(out).buckets.length, JSON.parse(out).next]).toEqual([0, 1024, null])
})

test.each([
  [['create', 'd.x'], 2, 'a table needs columns'],
  [['create', 'd.x', '--column', 'id'], 2, 'a column is a name and a type'],
  [['create', 'd.x', '{'], 2, 'JSON is wanted'],
  [['create', 'd.x', '--column', 'id bigint', '--option', 'x'], 2, 'name=value'],
  [['alter', 'd.x'], 2, 'nothing to alter'],
])('table %j ends with %i', async (args, status, message) => {
  expect(await run('table', ...args)).toMatchObject({ status, err: expect.stringContaining(message) })
})
