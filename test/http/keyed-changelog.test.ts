/**
 * What each operation leaves in the changelog, for every merge engine, image and delete.behavior, and that lookup, rows and the changelog
 * agree on it. A key with the row `x 5` or a new one is given one request; `!` is a refusal of all of it, a blank says that nothing happens.
 */
import { beforeAll, describe, expect, test } from 'vitest'
import { lines, makeTable, ndjson, readLines, siteOfFile } from './harness.ts'

const site = await siteOfFile()

/** `b` is summed, or the version. */
const columns = [
  { name: 'k', type: 'int' },
  { name: 'a', type: 'string' },
  { name: 'b', type: 'int' },
]

interface Asked {
  readonly isThere: boolean
  readonly rows: readonly object[]
  readonly query?: string
}

const asked = {
  'an insert': { isThere: false, rows: [{ a: 'y', b: 6 }] },
  'an upsert of the same': { isThere: true, rows: [{ a: 'x', b: 5 }] },
  'an upsert of more': { isThere: true, rows: [{ a: 'y', b: 6 }] },
  'an upsert of less': { isThere: true, rows: [{ a: 'y', b: 4 }] },
  'an upsert of nulls': { isThere: true, rows: [{}] },
  'a delete': { isThere: true, rows: [{ __op: 'D' }] },
  'a delete of nothing': { isThere: false, rows: [{ __op: 'D' }] },
  'a partial update': { isThere: true, rows: [{ a: 'y' }], query: '?columns=k,a' },
  'a first partial update, whatever the row brings': { isThere: false, rows: [{ a: 'y', b: 9 }], query: '?columns=k,a' },
  'a partial update of the key': { isThere: true, rows: [{}], query: '?columns=k' },
  'a first partial update of the key': { isThere: false, rows: [{}], query: '?columns=k' },
  'a partial delete': { isThere: true, rows: [{}], query: '?op=delete&columns=k,a' },
  'a partial delete of what is left': { isThere: true, rows: [{}], query: '?op=delete&columns=k,a,b' },
  'a partial delete of nothing': { isThere: false, rows: [{}], query: '?op=delete&columns=k,a' },
  'several operations on one key': { isThere: true, rows: [{ a: 'y', b: 6 }, { __op: 'D' }, { a: 'z', b: 7 }] },
  'a changelog, of which -U says nothing': { isThere: false, rows: [{ a: 'y', b: 6, __op: '-U' }] },
} satisfies Readonly<Record<string, Asked>>

type Told = Readonly<Record<keyof typeof asked, string>>

const lastRow: Told = {
  'an insert': '+I y 6',
  'an upsert of the same': '-U x 5, +U x 5',
  'an upsert of more': '-U x 5, +U y 6',
  'an upsert of less': '-U x 5, +U y 4',
  'an upsert of nulls': '-U x 5, +U null null',
  'a delete': '-D x 5',
  'a delete of nothing': '',
  'a partial update': '-U x 5, +U y 5',
  'a first partial update, whatever the row brings': '+I y null',
  'a partial update of the key': '',
  'a first partial update of the key': '+I null null',
  'a partial delete': '-U x 5, +U null 5',
  'a partial delete of what is left': '-D x 5',
  'a partial delete of nothing': '',
  'several operations on one key': '-U x 5, +U y 6, -D y 6, +I z 7',
  'a changelog, of which -U says nothing': '',
}
const deletes = [
  'a delete',
  'a delete of nothing',
  'a partial delete',
  'a partial delete of what is left',
  'a partial delete of nothing',
]
const withoutDeletes = (told: Told, said: '' | '!', several: string): Told => ({
  ...told,
  ...(Object.fromEntries(deletes.map((name) => [name, said])) as Partial<Told>),
  'several operations on one key': several,
})
const wholeRows = (told: Told): Told =>
  Object.fromEntries(
    Object.entries(told).map(([name, said]) => [
      name,
      asked[name as keyof Told] && 'query' in asked[name as keyof Told] ? '!' : said,
    ]),
  ) as unknown as Told
/** One `+U` each. */
const wal = (told: Told): Told =>
  Object.fromEntries(
    Object.entries(told).map(([name, said]) => [
      name,
      said
        .split(', ')
        .filter((each) => !each.startsWith('-U'))
        .map((each) => each.replace('+I', '+U'))
        .join(', '),
    ]),
  ) as unknown as Told
const twoUpdates = '-U x 5, +U y 6, -U y 6, +U z 7'
const firstRow = wholeRows({
  ...withoutDeletes(lastRow, '', ''),
  'an upsert of the same': '',
  'an upsert of more': '',
  'an upsert of less': '',
  'an upsert of nulls': '',
})
const versioned = wholeRows({ ...withoutDeletes(lastRow, '', twoUpdates), 'an upsert of less': '', 'an upsert of nulls': '' })
const aggregation: Told = {
  ...lastRow,
  'an upsert of the same': '-U x 5, +U x 10',
  'an upsert of more': '-U x 5, +U y 11',
  'an upsert of less': '-U x 5, +U y 9',
  'an upsert of nulls': '-U x 5, +U x 5',
  'several operations on one key': '-U x 5, +U y 11, -D y 11, +I z 7',
}
const sums = '-U x 5, +U y 11, -U y 11, +U z 18'

const version = { 'merge-engine.version-column': 'b' }
const sum = { 'fields.b.agg': 'sum' }
const tables: readonly (readonly [engine: string, image: string, deletes: string | undefined, more: object, Told])[] = [
  ['last-row', 'full', undefined, {}, lastRow],
  ['last-row', 'full', 'allow', {}, lastRow],
  ['last-row', 'full', 'ignore', {}, withoutDeletes(lastRow, '', twoUpdates)],
  ['last-row', 'full', 'disable', {}, withoutDeletes(lastRow, '!', '!')],
  ['last-row', 'wal', undefined, {}, wal(lastRow)],
  ['last-row', 'wal', 'ignore', {}, wal(withoutDeletes(lastRow, '', twoUpdates))],
  ['last-row', 'wal', 'disable', {}, wal(withoutDeletes(lastRow, '!', '!'))],
  ['first-row', 'full', undefined, {}, firstRow],
  ['first-row', 'full', 'disable', {}, withoutDeletes(firstRow, '!', '!')],
  ['first-row', 'wal', undefined, {}, wal(firstRow)],
  ['versioned', 'full', undefined, version, versioned],
  ['versioned', 'full', 'disable', version, withoutDeletes(versioned, '!', '!')],
  ['versioned', 'wal', 'ignore', version, wal(versioned)],
  ['aggregation', 'full', undefined, sum, withoutDeletes(aggregation, '', sums)],
  ['aggregation', 'full', 'allow', sum, aggregation],
  ['aggregation', 'full', 'disable', sum, withoutDeletes(aggregation, '!', '!')],
]

const named = tables.map(([engine, image, behavior, more, told]) => ({
  title: `${engine}, image ${image}, deletes ${behavior ?? 'as the engine has them'}`,
  options: { 'merge-engine': engine, 'changelog.image': image, ...(behavior && { 'delete.behavior': behavior }), ...more },
  told,
}))

describe.each(named.map((each, i) => [each.title, each, i] as const))('%s', (_, { options, told }, i) => {
  let path = ''
  beforeAll(async () => {
    path = await makeTable(site.client, `changes-${i}`, { columns, primaryKey: ['k'], options })
  })

  test.each(Object.keys(asked) as (keyof Told)[])('%s', async (name) => {
    const { isThere, rows, query = '' }: Asked = asked[name]
    const k = Object.keys(asked).indexOf(name)
    const send = (body: readonly object[], how = '') =>
      site.client.send('POST', `${path}/records${how}`, { body: lines(body.map((row) => ({ k, ...row }))), headers: ndjson })
    if (isThere) await send([{ a: 'x', b: 5 }])
    const before = await endOf(path)
    const { status, json } = await send(rows, query)
    if (told[name] === '!') {
      expect([status, json.error.effect, await endOf(path)]).toEqual([400, 'none', before])
      return
    }
    expect(status).toBe(200)
    const expected = told[name] === '' ? [] : told[name].split(', ')
    expect(await changesFrom(path, before)).toEqual(expected)
    expect([json.buckets[0]?.baseOffset ?? before, json.buckets[0]?.endOffset ?? before]).toEqual([
      before,
      `${BigInt(before) + BigInt(expected.length)}`,
    ])
    const last = (isThere && expected.length === 0 ? '+U x 5' : (expected.at(-1) ?? '-D')).split(' ')
    const row =
      last[0] === '-D' ? null : { k, a: last[1] === 'null' ? null : last[1], b: last[2] === 'null' ? null : Number(last[2]) }
    expect((await site.client.send('POST', `${path}/lookup`, { json: { keys: [{ k }] } })).json.rows).toEqual([row])
    const scanned = readLines((await site.client.get(`${path}/rows?where=${encodeURIComponent(`k = ${k}`)}`)).text)
    expect(scanned).toEqual(row === null ? [] : [row])
  })
})

async function endOf(path: string): Promise<string> {
  return (await site.client.get(`${path}/offsets`)).json.buckets[0]?.end ?? '0'
}

async function changesFrom(path: string, offset: string): Promise<string[]> {
  const { text } = await site.client.get(`${path}/log?bucket=0&offset=${offset}`)
  return readLines(text).map(({ __op, a, b }) => `${__op} ${a} ${b}`)
}

test('where a row was written is no column that can be read', async () => {
  const path = await makeTable(site.client, 'origins', { columns, primaryKey: ['k'] })
  const { status, json } = await site.client.get(`${path}/log?bucket=0&offset=earliest&columns=k,__prev`)
  expect([status, json.error.message]).toEqual([400, expect.stringContaining('__prev')])
  const body = lines([{ k: 1, __prev: '5' }])
  expect((await site.client.send('POST', `${path}/records`, { body, headers: ndjson })).status).toBe(400)
})
