/** `sluice` and tables with a primary key: produce, delete, lookup, rows and the changelog. */
import { tableFromIPC } from 'apache-arrow'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { lines, makeTable, memorySite, ndjson, readLines, type Site } from './harness.ts'
import { sluice } from './sluice.ts'

let site: Site
const columns = [
  { name: 'city', type: 'string' },
  { name: 'n', type: 'int' },
  { name: 'flights', type: 'bigint' },
]
const keyed = { columns, primaryKey: ['city', 'n'], buckets: { count: 1, key: ['city'] } }

async function made(name: string, more: object = {}): Promise<string> {
  const path = await makeTable(site.client, name, { ...keyed, ...more })
  const rows = [1, 2].map((n) => ({ city: 'oslo', n, flights: 10 * n }))
  await site.client.send('POST', `${path}/records`, { body: lines(rows), headers: ndjson })
  return `d.${name}`
}

beforeAll(async () => {
  site = await memorySite()
  await made('keyed')
  await makeTable(site.client, 'log')
})
afterAll(() => site.close())

const run = (...args: string[]) => sluice({ url: site.running.url }, ...args).ended
const fed = (input: string, ...args: string[]) => sluice({ url: site.running.url, input }, ...args).ended
const lookup = (...args: string[]) => run('lookup', 'd.keyed', ...args, '--json')
const rowsOf = async (table: string, ...args: string[]) => readLines((await run('rows', table, ...args)).out)

test('the row of a key, some of its columns, and all rows of a bucket key', async () => {
  expect(await lookup('city=oslo', 'n=2')).toMatchObject({ status: 0, out: '{"city":"oslo","n":2,"flights":"20"}\n' })
  expect(await lookup('city=oslo', 'n=1', '--columns', 'flights')).toMatchObject({ status: 0, out: '{"flights":"10"}\n' })
  const prefix = await lookup('city=oslo', '--prefix', '--stale', '--columns', 'n')
  expect(prefix).toMatchObject({ status: 0, out: '{"n":1}\n{"n":2}\n' })
})

test('a row that is not there is made where that is asked for', async () => {
  const table = await made('inserted')
  const asked = await run('lookup', table, 'city=rome', 'n=1', '--insert', '--json')
  expect(asked).toMatchObject({ status: 0, out: '{"city":"rome","n":1,"flights":null}\n' })
  expect((await run('rows', table, '--count')).out).toBe('3\n')
  expect(await run('lookup', table, 'city=rome', '--insert', '--prefix')).toMatchObject({ status: 2 })
})

test('no row, half a key and a column that is not there are said', async () => {
  const fix = 'try: sluice fetch d.keyed --limit 10\n'
  expect(await lookup('city=oslo', 'n=3')).toMatchObject({ status: 1, out: '', err: `no row has this key\n${fix}` })
  expect(await lookup('city=rome', '--prefix')).toMatchObject({ status: 1, err: `no row has this bucket key\n${fix}` })
  expect((await lookup('city=oslo')).err).toMatch(/n/)
  expect((await lookup('cty=oslo', 'n=1')).err).toMatch(/cty/)
  expect(await lookup('city')).toMatchObject({ status: 2 })
  expect(await lookup('city=oslo', 'n=1', 'n=2')).toMatchObject({ status: 2, err: expect.stringContaining('n is there twice') })
}, 60_000)

test('rows are put, changed in part, deleted from a file and one at a time', async () => {
  const table = await made('life')
  const csv = 'city,n,flights\noslo,1,11\nrome,1,5\n'
  expect(await fed(csv, 'produce', table, '--format', 'csv')).toMatchObject({ status: 0 })
  expect(await fed('{"city":"rome","n":1,"flights":6}', 'upsert', table, '--columns', 'city,n,flights')).toMatchObject({
    status: 0,
  })
  expect(await fed('{"city":"oslo","n":2}', 'produce', table, '--op', 'delete')).toMatchObject({ status: 0 })
  expect(await rowsOf(table)).toEqual([
    { city: 'oslo', n: 1, flights: '11' },
    { city: 'rome', n: 1, flights: '6' },
  ])
  expect(await run('delete', table, 'city=oslo', 'n=1')).toMatchObject({ status: 0, out: 'deleted\n' })
  const again = await run('delete', table, 'city=oslo', 'n=1')
  expect(again).toMatchObject({ status: 1, out: '', err: expect.stringContaining(`try: sluice fetch ${table} --limit 10\n`) })
  expect((await run('rows', table, '--count')).out).toBe('1\n')
  expect((await run('rows', table, '--count', '--json')).out).toBe('{"count":"1"}\n')
  expect(await run('delete', table, 'city=rome', 'n=1', '--columns', 'flights')).toMatchObject({
    status: 0,
    out: 'emptied, or deleted where nothing was left\n',
  })
  expect((await run('rows', table, '--count')).out).toBe('0\n')
}, 60_000)

test('rows come page by page in three formats, chosen and filtered', async () => {
  const table = 'd.many'
  const path = await makeTable(site.client, 'many', { ...keyed, buckets: { count: 4, key: ['city'] } })
  const many = Array.from({ length: 12_000 }, (_, n) => ({ city: `c${n % 5}`, n, flights: n }))
  await site.client.send('POST', `${path}/records`, { body: lines(many), headers: ndjson })
  expect(new Set((await rowsOf(table)).map(({ n }) => n)).size).toBe(12_000)
  expect(await rowsOf(table, '--where', 'n = 7', '--columns', 'flights')).toEqual([{ flights: '7' }])
  // more often than a bucket has places for scans that go on
  for (let i = 0; i < 9; i++) expect((await rowsOf(table, '--limit', '3')).length).toBe(3)
  expect(await run('rows', table, '--count', '--where', 'n = 7')).toMatchObject({
    status: 2,
    err: expect.stringContaining('--where'),
  })
  const arrow = tableFromIPC((await run('rows', table, '--format', 'arrow')).bytes)
  expect(new Set(arrow.getChild('n') ?? []).size).toBe(12_000)
  const { out } = await run('rows', table, '--format', 'table', '--where', 'n = 7')
  expect(out).toBe('city  n  flights\n────  ─  ───────\nc2    7        7\n')
}, 60_000)

test('a changelog is a table with the kinds of its changes in front, in colour where there is some', async () => {
  const table = await made('changes')
  await fed('{"city":"oslo","n":1,"flights":11}\n{"city":"oslo","n":2,"__op":"D"}', 'produce', table)
  const plain = await run('fetch', table, '--format', 'table')
  expect(plain.out.split('\n')).toEqual([
    '__op  city  n  flights',
    '────  ────  ─  ───────',
    '+I    oslo  1       10',
    '+I    oslo  2       20',
    '-U    oslo  1       10',
    '+U    oslo  1       11',
    '-D    oslo  2       20',
    '',
  ])
  const env = { FORCE_COLOR: '1', NO_COLOR: '' }
  const { out } = await sluice({ url: site.running.url, env }, 'fetch', table, '--format', 'table', '--columns', '__op,n').ended
  expect(out.split('\n').slice(2, -1)).toEqual([
    '\x1b[32m+I    1\x1b[39m',
    '\x1b[32m+I    2\x1b[39m',
    '\x1b[90m-U    1\x1b[39m',
    '\x1b[33m+U    1\x1b[39m',
    '\x1b[31m-D    2\x1b[39m',
  ])
  expect(readLines((await run('fetch', table, '--json')).out).map(({ __op }) => __op)).toEqual(['+I', '+I', '-U', '+U', '-D'])
})

test('whole changes are one line each, with what was and what is', async () => {
  const table = await made('whole')
  await fed('{"city":"oslo","n":1,"flights":11}\n{"city":"oslo","n":2,"__op":"D"}', 'produce', table)
  const { out } = await run('fetch', table, '--form', 'binlog', '--format', 'table')
  expect(out.split('\n').slice(2, -1)).toEqual([
    '+I    oslo  1       10',
    '+I    oslo  2       20',
    '+U    oslo  1  10 → 11',
    '-D    oslo  2       20',
  ])
  const { out: text } = await run('fetch', table, '--form', 'binlog', '--limit', '3', '--columns', 'flights')
  expect(readLines(text).at(-1)).toMatchObject({ before: { flights: '10' }, after: { flights: '11' }, __op: '+U' })
})

test.each([
  ['records', [], ['+I', '-U', '+U', '-D']],
  ['whole changes', ['--form', 'binlog'], ['+I', '+U', '-D']],
])('a follower of a changelog gets %s as they are made, and ends at Ctrl-C', async (_what, flags, kinds) => {
  const table = `d.followed-${flags.length}`
  const path = await makeTable(site.client, table.slice(2), keyed)
  const post = (row: object) => site.client.send('POST', `${path}/records`, { body: lines([row]), headers: ndjson })
  const follower = sluice({ url: site.running.url }, 'fetch', table, '--follow', '--json', ...flags)
  for (const [row, seen] of [
    [{ city: 'oslo', n: 1, flights: 10 }, '"+I"'],
    [{ city: 'oslo', n: 1, flights: 11 }, '"+U"'],
    [{ city: 'oslo', n: 1, __op: 'D' }, '"-D"'],
  ] as const) {
    await post(row)
    await expect.poll(follower.out).toContain(seen)
  }
  follower.child.kill('SIGINT')
  const { status, out, err } = await follower.ended
  expect([status, err, readLines(out).map(({ __op }) => __op)]).toEqual([0, '', kinds])
})

test.each([
  [['lookup', 'd.log', 'id=1'], 1, 'sluice fetch d.log'],
  [['fetch', 'd.log', '--form', 'binlog'], 1, 'sluice table describe d.log'],
  [['rows', 'd.log'], 1, 'sluice fetch d.log'],
  [['delete', 'd.log', 'id=1'], 1, 'sluice table describe d.log'],
  [['produce', 'd.log', '--op', 'delete'], 1, 'sluice table describe d.log'],
  [['lookup', 'd.keyed', 'city=oslo'], 1, 'sluice table describe d.keyed'],
  [['lookup', 'd.keyed', 'city=oslo', 'n=1', '--columns', 'flight'], 1, 'sluice table describe d.keyed'],
  [['rows', 'd.keyed', '--where', 'x = 1'], 1, 'sluice table describe d.keyed'],
])('%j fails, and ends with what to type next', async (args, code, fix) => {
  const { status, out, err } = await run(...args)
  expect([status, out, err.trimEnd().split('\n').at(-1)]).toEqual([code, '', `try: ${fix}`])
})

test.each([
  [
    ['produce', 'd.keyed', '--op', ''],
    ['upsert', 'delete'],
  ],
  [['rows', 'd.keyed', '--format', 'a'], ['arrow']],
  [
    ['lookup', 'd.keyed', ''],
    ['city=', 'n='],
  ],
  [['lookup', 'd.keyed', 'city=oslo', 'n'], ['n=']],
  [['delete', 'd.k'], ['d.keyed']],
])('%j is completed', async (words, wanted) => {
  expect((await run('complete', '--', ...words)).out.trim().split('\n')).toEqual(wanted)
})
