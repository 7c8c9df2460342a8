/** `form=binlog` over HTTP: changes with the row before and after, in every form and however they are paged. */
import { tableFromIPC } from 'apache-arrow'
import { beforeAll, describe, expect, test } from 'vitest'
import { lines, makeTable, ndjson, readLines, siteOfFile } from './harness.ts'
import { openTail } from './tail-reader.ts'

const site = await siteOfFile()

const columns = [
  { name: 'city', type: 'string' },
  { name: 'n', type: 'bigint' },
  { name: 'tags', type: 'array<string>' },
]
const keyed = { columns, primaryKey: ['city'] }
const arrow = 'application/vnd.apache.arrow.stream'

const send = (path: string, rows: readonly object[], query = '') =>
  site.client.send('POST', `${path}/records${query}`, { body: lines(rows), headers: ndjson })
const oslo = (n: string | null, tags: readonly string[] | null = null) => ({ city: 'oslo', n, tags })

async function written(name: string, more: object = {}): Promise<string> {
  const path = await makeTable(site.client, name, { ...keyed, ...more })
  await send(path, [oslo('1', ['a', 'b'])])
  await send(path, [oslo('2'), { ...oslo('3', []) }])
  await send(path, [{ city: 'oslo', __op: 'D' }])
  return path
}

const story = [
  { before: null, after: oslo('1', ['a', 'b']), __offset: '0', __op: '+I' },
  { before: oslo('1', ['a', 'b']), after: oslo('2'), __offset: '2', __op: '+U' },
  { before: oslo('2'), after: oslo('3', []), __offset: '4', __op: '+U' },
  { before: oslo('3', []), after: null, __offset: '5', __op: '-D' },
]
const timeless = (rows: readonly Record<string, unknown>[]) => rows.map(({ __timestamp, ...row }) => row)

test('one row a change, as lines and as an object, each with when and where', async () => {
  const path = await written('story')
  const { text, headers } = await site.client.get(`${path}/log?bucket=0&offset=earliest&form=binlog`)
  expect(timeless(readLines(text))).toEqual(story)
  expect(readLines(text)[0]?.['__timestamp']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  expect(headers).toMatchObject({
    'sluice-rows': '4',
    'sluice-start-offset': '0',
    'sluice-next-offset': '6',
    'sluice-end-offset': '6',
  })
  const json = await site.client.send('GET', `${path}/log?bucket=0&offset=earliest&form=binlog`, {
    headers: { Accept: 'application/json' },
  })
  expect(timeless(json.json.rows)).toEqual(story)
  const end = await site.client.get(`${path}/log?bucket=0&offset=latest&form=binlog`)
  expect([end.status, end.text, end.headers['sluice-next-offset']]).toEqual([200, '', '6'])
})

test('as Arrow: two structs, then the operation and the place, which is never in a row', async () => {
  const path = await written('arrow')
  const { bytes } = await site.client.send('GET', `${path}/log?bucket=0&offset=earliest&form=binlog`, {
    headers: { Accept: arrow },
  })
  const table = tableFromIPC(bytes)
  expect(table.schema.fields.map(({ name }) => name)).toEqual([
    'before',
    'after',
    '__op',
    '__offset',
    '__timestamp',
    '__partition',
    '__bucket',
  ])
  const rows = JSON.parse(JSON.stringify([...table], (_, value) => (typeof value === 'bigint' ? `${value}` : value)))
  expect(rows.map(({ before, after, __op, __offset }: Record<string, unknown>) => ({ before, after, __op, __offset }))).toEqual(
    story.map(({ __op, ...row }) => ({ ...row, __op: ['+A', '+I', '-U', '+U', '-D'].indexOf(__op) })),
  )
})

test('columns prune the rows inside, and say places beside them', async () => {
  const path = await written('columns')
  const { text } = await site.client.get(`${path}/log?bucket=0&offset=2&limit=1&form=binlog&columns=n,__bucket,__op`)
  expect(timeless(readLines(text))).toEqual([
    { before: { n: '1' }, after: { n: '2' }, __offset: '2', __op: '+U', __partition: '', __bucket: 0 },
  ])
})

test('a filter selects a change by any of its records, of columns that are not asked for too', async () => {
  const path = await written('where')
  const found = async (where: string, more = '') => {
    const { text, headers } = await site.client.get(
      `${path}/log?bucket=0&offset=earliest&form=binlog&where=${encodeURIComponent(where)}${more}`,
    )
    return [...readLines(text).map(({ __offset }) => __offset), headers['sluice-next-offset']]
  }
  expect(await found('n = 2')).toEqual(['2', '4', '6'])
  expect(await found('n = 2', '&columns=city&limit=1')).toEqual(['2', '3'])
  expect(await found('__op = 4')).toEqual(['5', '6'])
  expect(await found("city = 'rome'")).toEqual(['6'])
  const { bytes } = await site.client.send('GET', `${path}/log?offset=earliest&form=binlog&columns=tags&where=n%3E2`, {
    headers: { Accept: arrow },
  })
  expect([...tableFromIPC(bytes)].map(({ __offset, __bucket }) => [__offset, __bucket])).toEqual([
    [4n, 0],
    [5n, 0],
  ])
})

describe('no border of a page tears a change', () => {
  test('by limit and offset, from every record', async () => {
    const path = await written('pages')
    for (const limit of [1, 2, 3]) {
      const found: Record<string, unknown>[] = []
      for (let offset = '0'; offset !== '6'; ) {
        const { text, headers } = await site.client.get(`${path}/log?bucket=0&offset=${offset}&limit=${limit}&form=binlog`)
        found.push(...readLines(text))
        offset = headers['sluice-next-offset'] as string
      }
      expect(timeless(found)).toEqual(story)
    }
    for (let offset = 0; offset <= 6; offset++) {
      const { text } = await site.client.get(`${path}/log?bucket=0&offset=${offset}&form=binlog`)
      expect(timeless(readLines(text))).toEqual(story.filter(({ __offset }) => Number(__offset) >= offset))
    }
  })

  test('by bytes, as lines and as Arrow', async () => {
    const path = await makeTable(site.client, 'bytes', keyed)
    const long = (n: number) => oslo(String(n), ['x'.repeat(300_000)])
    for (let n = 0; n < 6; n++) await send(path, [long(n)])
    for (const accept of ['application/x-ndjson', arrow]) {
      const found: string[] = []
      for (let offset = '0'; offset !== '11'; ) {
        const answer = await site.client.send('GET', `${path}/log?bucket=0&offset=${offset}&maxBytes=1000&form=binlog`, {
          headers: { Accept: accept },
        })
        expect(Number(answer.headers['sluice-rows'])).toBeGreaterThan(0)
        const rows = accept === arrow ? [...tableFromIPC(answer.bytes)] : readLines(answer.text)
        for (const { before, after, __offset } of rows as Record<string, { n: string }>[])
          found.push(`${__offset} ${before?.n ?? '-'} ${after?.n}`)
        offset = answer.headers['sluice-next-offset'] as string
      }
      expect(found).toEqual(['0 - 0', '2 0 1', '4 1 2', '6 2 3', '8 3 4', '10 4 5'])
    }
  })

  test('by cursor over a whole table, also one that a page of records has left between -U and +U', async () => {
    const path = await makeTable(site.client, 'table', { ...keyed, buckets: { count: 3 } })
    const cities = Array.from({ length: 9 }, (_, i) => ({ city: `city-${i}`, n: '0' }))
    await send(path, cities)
    await send(
      path,
      cities.map((row) => ({ ...row, n: '1' })),
    )
    const found = new Set<string>()
    let query = 'offset=earliest'
    for (let rows = 1; rows > 0; ) {
      const { text, headers } = await site.client.get(`${path}/log?${query}&limit=2&form=binlog`)
      for (const { before, after, __bucket } of readLines(text) as Record<string, Record<string, string>>[])
        found.add(`${__bucket} ${after?.['city']} ${before?.['n'] ?? '-'} ${after?.['n']}`)
      rows = readLines(text).length
      query = `cursor=${headers['sluice-cursor']}`
    }
    expect(found.size).toBe(18)
    const one = await written('records-then-changes')
    const records = await site.client.get(`${one}/log?offset=earliest&limit=2`)
    const changes = await site.client.get(`${one}/log?cursor=${records.headers['sluice-cursor']}&form=binlog`)
    expect(readLines(changes.text).map(({ before, __offset }) => [before, __offset])).toEqual(
      story.slice(1).map(({ before, __offset }) => [before, __offset]),
    )
  })
})

test('a live tail has changes too', async () => {
  const path = await written('tail')
  const { events } = await openTail(site.client.port, `${path}/log?offset=earliest&form=binlog&wait=1s`)
  const rows = events.filter(({ event }) => event === 'records').flatMap(({ data }) => JSON.parse(data ?? '[]'))
  expect(rows.map(({ before, after, __op }: Record<string, unknown>) => ({ before, after, __op }))).toEqual(
    story.map(({ before, after, __op }) => ({ before, after, __op })),
  )
})

test('with changelog.image=wal nothing is said of the row before an update', async () => {
  const path = await written('wal', { options: { 'changelog.image': 'wal' } })
  const { text } = await site.client.get(`${path}/log?bucket=0&offset=earliest&form=binlog`)
  expect(readLines(text).map(({ before, after, __op }) => [before, (after as { n: string } | null)?.n, __op])).toEqual([
    [null, '1', '+U'],
    [null, '2', '+U'],
    [null, '3', '+U'],
    [oslo('3', []), undefined, '-D'],
  ])
})

test('changes of older schemas have the columns of today', async () => {
  const path = await written('schemas')
  await site.client.send('PATCH', path, { json: { addColumns: [{ name: 'more', type: 'int' }], renameColumns: { n: 'm' } } })
  await send(path, [{ city: 'oslo', m: '9', more: 1 }])
  await send(path, [{ city: 'oslo', m: '10', more: 2 }])
  const { text } = await site.client.get(`${path}/log?bucket=0&offset=earliest&form=binlog&columns=m,more`)
  expect(readLines(text).map(({ before, after }) => [before, after])).toEqual([
    [null, { m: '1', more: null }],
    [
      { m: '1', more: null },
      { m: '2', more: null },
    ],
    [
      { m: '2', more: null },
      { m: '3', more: null },
    ],
    [{ m: '3', more: null }, null],
    [null, { m: '9', more: 1 }],
    [
      { m: '9', more: 1 },
      { m: '10', more: 2 },
    ],
  ])
})

describe('what is refused', () => {
  let path: string
  beforeAll(async () => {
    path = await makeTable(site.client, 'refused', keyed)
  })

  test.each([
    ['form=changelog', 400, 'bad-request', /binlog/],
    ['form=', 400, 'bad-request', /binlog/],
    ['form=binlog&where=nn%20%3D%201', 400, 'invalid-filter', /nn/],
    ['form=binlog&columns=__offset', 400, 'bad-request', /needs a column of the table/],
    ['form=binlog&columns=nn', 400, 'bad-request', /there is no column "nn"/],
    ['form=binlog&limit=0', 400, 'bad-request', /from 1 to/],
  ])('%s', async (query, status, code, message) => {
    const answer = await site.client.get(`${path}/log?bucket=0&offset=earliest&${query}`)
    expect([answer.status, answer.json.error.code]).toEqual([status, code])
    expect(answer.json.error.message).toMatch(message)
  })

  test('changes of a table without a key', async () => {
    const log = await makeTable(site.client, 'log-table')
    const { status, json } = await site.client.get(`${log}/log?bucket=0&offset=earliest&form=binlog`)
    expect([status, json.error.code, json.error.message]).toEqual([
      400,
      'bad-request',
      expect.stringMatching(/no primary key.*leave out form/),
    ])
  })
})
