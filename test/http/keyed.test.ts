/** Tables with a primary key over HTTP: upserts, deletes, what they leave, and what is refused. */
import { tableFromIPC } from 'apache-arrow'
import { describe, expect, test } from 'vitest'
import { diskSite, lines, makeTable, ndjson, readLines, siteOfFile } from './harness.ts'
import { arrow, callsOf, keyed, oslo, rome } from './keyed-flights.ts'

const site = await siteOfFile()
const { lookup, send } = callsOf(site)

test('rows are put, put again, deleted and found, and the changelog tells it', async () => {
  const path = await makeTable(site.client, 'life', { ...keyed, buckets: { count: 1, key: ['city'] } })
  const first = await send(path, [
    { ...oslo, flights: 1, note: 'a' },
    { ...rome, flights: 2, note: 'b' },
  ])
  expect(first.json).toEqual({ buckets: [{ partition: '', bucket: 0, baseOffset: '0', endOffset: '2' }], duplicate: false })
  await send(path, [
    { ...oslo, flights: '9007199254740993', note: 'c' },
    { ...rome, __op: 'D' },
  ])
  const { json } = await lookup(path, { keys: [rome, oslo] })
  expect(json).toMatchObject({ rows: [null, { ...oslo, flights: '9007199254740993', note: 'c' }] })
  expect((await lookup(path, { keys: [oslo], columns: ['note', 'city'] })).json.rows).toEqual([{ note: 'c', city: 'oslo' }])
  const log = readLines((await site.client.get(`${path}/log?bucket=0&offset=earliest&columns=city,note`)).text)
  expect(log.map(({ __timestamp, ...row }) => row)).toEqual([
    { city: 'oslo', note: 'a', __offset: '0', __op: '+I' },
    { city: 'rome', note: 'b', __offset: '1', __op: '+I' },
    { city: 'oslo', note: 'a', __offset: '2', __op: '-U' },
    { city: 'oslo', note: 'c', __offset: '3', __op: '+U' },
    { city: 'rome', note: 'b', __offset: '4', __op: '-D' },
  ])
  expect(Object.keys(log[0] ?? {})).toEqual(['city', 'note', '__offset', '__timestamp', '__op'])
  const only = await site.client.get(`${path}/log?bucket=0&offset=earliest&where=${encodeURIComponent('__op = 4')}`)
  expect(readLines(only.text).map(({ city, __op }) => [city, __op])).toEqual([['rome', '-D']])
  const table = tableFromIPC((await site.client.get(`${path}/log?bucket=0&offset=earliest`, { Accept: arrow })).bytes)
  expect(table.schema.fields.map(({ name }) => name)).toEqual(['city', 'day', 'flights', 'note', '__op'])
  expect([...(table.getChild('__op') ?? [])]).toEqual([1, 1, 2, 3, 4])
})

test('what a change is may be named among the columns: it is said once, at the end', async () => {
  const path = await makeTable(site.client, 'named', { ...keyed, buckets: { count: 1, key: ['city'] } })
  await send(path, [oslo])
  const read = (columns: string, accept = 'application/x-ndjson') =>
    site.client.get(`${path}/log?bucket=0&offset=earliest&columns=${columns}`, { Accept: accept })
  expect(Object.keys(readLines((await read('__op,city')).text)[0] ?? {})).toEqual(['city', '__offset', '__timestamp', '__op'])
  expect(readLines((await read('__op')).text)).toMatchObject([{ __op: '+I' }])
  const table = tableFromIPC((await read('__op,__offset,city', arrow)).bytes)
  expect(table.schema.fields.map(({ name }) => name)).toEqual(['__offset', 'city', '__op'])
  expect((await read('__op,__op')).json.error.message).toMatch(/named twice/)
  const log = await makeTable(site.client, 'no-changes', {})
  expect((await site.client.get(`${log}/log?bucket=0&offset=earliest&columns=__op`)).json.error.code).toBe('bad-request')
})

test('a changelog is piped into another table, and makes the same rows', async () => {
  const from = await makeTable(site.client, 'source', keyed)
  const to = await makeTable(site.client, 'copy', keyed)
  const day = (i: number) => `2026-11-${String((i % 20) + 1).padStart(2, '0')}`
  const rows = Array.from({ length: 200 }, (_, i) => ({ city: `c${i % 7}`, day: day(i), flights: i }))
  await send(from, rows)
  await send(from, rows.slice(0, 30), '?op=delete')
  await send(from, rows.slice(10, 40))
  for (let bucket = 0; bucket < 4; bucket++) {
    const { text } = await site.client.get(`${from}/log?bucket=${bucket}&offset=earliest`)
    await site.client.send('POST', `${to}/records`, { body: text, headers: ndjson })
  }
  const [a, b] = await Promise.all([from, to].map((path) => site.client.get(`${path}/rows`)))
  expect(readLines(a?.text ?? '').length).toBeGreaterThan(50)
  expect(b?.text).toEqual(a?.text)
  expect((await site.client.get(`${to}/rows?count=true`)).json).toEqual({ count: a?.headers['sluice-rows'] })
})

test('parts add up to no row that is larger than a row may be', async () => {
  const parts = Array.from({ length: 4 }, (_, i) => ({ name: `c${i}`, type: 'string' }))
  const path = await makeTable(site.client, 'large', { columns: [{ name: 'k', type: 'int' }, ...parts], primaryKey: ['k'] })
  const text = 'x'.repeat(500_000)
  for (const i of [0, 1]) expect((await send(path, [{ k: 1, [`c${i}`]: text }], `?columns=k,c${i}`)).status).toBe(200)
  const { status, json } = await send(path, [{ k: 1, c2: text }], '?columns=k,c2')
  expect([status, json.error.code, json.error.effect, json.error.facts.column]).toEqual([400, 'invalid-rows', 'none', 'c0'])
  expect((await lookup(path, { keys: [{ k: 1 }], columns: ['c2'] })).json.rows).toEqual([{ c2: null }])
})

test('two servers that write to one bucket lose races, say how many, and lose no row', async () => {
  const first = await diskSite()
  const path = await makeTable(first.client, 'raced', { ...keyed, buckets: { count: 1, key: ['city'] } })
  const second = await first.reopen()
  for (let i = 0; i < 6; i++) {
    const { client } = i % 2 === 0 ? first : second
    const body = lines([
      { ...oslo, flights: i },
      { city: `c${i}`, day: oslo.day, flights: i },
    ])
    expect((await client.send('POST', `${path}/records`, { body, headers: ndjson })).status).toBe(200)
  }
  for (const { client } of [first, second]) {
    const rows = readLines((await client.get(`${path}/rows`)).text)
    expect(rows.map(({ city, flights }) => `${city} ${flights}`)).toEqual([
      ...[0, 1, 2, 3, 4, 5].map((i) => `c${i} ${i}`),
      'oslo 5',
    ])
    expect((await client.get('/metrics')).text).toMatch(/^sluice_upsert_conflicts_total [1-9]/m)
  }
  expect([...first.defects, ...second.defects]).toEqual([])
  await second.close()
  await first.close()
})

describe('merge engines and parts of rows', () => {
  test('columns= writes a part, and empties it', async () => {
    const path = await makeTable(site.client, 'partial', keyed)
    await send(path, [{ ...oslo, flights: 5 }], '?columns=city,day,flights')
    await send(path, [{ ...oslo, note: 'n' }], '?columns=city,day,note')
    expect((await lookup(path, { keys: [oslo] })).json.rows).toEqual([{ ...oslo, flights: '5', note: 'n' }])
    await send(path, [{ ...oslo }], '?op=delete&columns=city,day,flights')
    expect((await lookup(path, { keys: [oslo] })).json.rows).toEqual([{ ...oslo, flights: null, note: 'n' }])
    await send(path, [{ ...oslo }], '?op=delete&columns=city,day,note')
    expect((await lookup(path, { keys: [oslo] })).json.rows).toEqual([null])
  })

  test('aggregation sums, and a repeated request counts once', async () => {
    const options = { 'merge-engine': 'aggregation', 'fields.flights.agg': 'sum', 'fields.note.agg': 'listagg' }
    const path = await makeTable(site.client, 'sums', { ...keyed, options })
    const headers = (seq: number) => ({ ...ndjson, 'Producer-Id': 'p', 'Producer-Seq': `${seq}` })
    const post = (seq: number) =>
      site.client.send('POST', `${path}/records`, {
        body: lines([{ ...oslo, flights: 3, note: `n${seq}` }]),
        headers: headers(seq),
      })
    await post(0)
    await post(1)
    expect((await post(1)).json.duplicate).toBe(true)
    expect((await lookup(path, { keys: [oslo] })).json.rows).toEqual([{ ...oslo, flights: '6', note: 'n0,n1' }])
  })

  test('partitions are made by rows, and a key of one that is not there has no row', async () => {
    const path = await makeTable(site.client, 'parted', { ...keyed, partitionBy: ['day'], buckets: { count: 2 } })
    await send(path, [
      { ...oslo, flights: 1 },
      { city: 'oslo', day: '2026-11-22', flights: 2 },
    ])
    const { json } = await lookup(path, {
      keys: [{ city: 'oslo', day: '2026-11-22' }, { city: 'oslo', day: '1999-01-01' }, oslo],
      columns: ['flights'],
    })
    expect(json.rows).toEqual([{ flights: '2' }, null, { flights: '1' }])
    expect((await site.client.get(`${path}/rows?count=true`)).json).toEqual({ count: '2' })
  })

  test('columns that are added, renamed and widened read right in rows that are older', async () => {
    const path = await makeTable(site.client, 'evolving', {
      columns: [
        { name: 'k', type: 'int' },
        { name: 'n', type: 'int' },
      ],
      primaryKey: ['k'],
    })
    await send(path, [
      { k: 1, n: 10 },
      { k: 2, n: 20 },
    ])
    const change = { addColumns: [{ name: 'more', type: 'string' }], renameColumns: { n: 'm' }, widenColumns: { n: 'bigint' } }
    expect((await site.client.send('PATCH', path, { json: change })).status).toBe(200)
    await send(path, [{ k: 2, m: '9007199254740993', more: 'x' }])
    expect((await lookup(path, { keys: [{ k: 1 }, { k: 2 }] })).json.rows).toEqual([
      { k: 1, m: '10', more: null },
      { k: 2, m: '9007199254740993', more: 'x' },
    ])
    const { text } = await site.client.get(`${path}/log?bucket=0&offset=2`)
    expect(readLines(text).map(({ m, __op }) => [m, __op])).toEqual([
      ['20', '-U'],
      ['9007199254740993', '+U'],
    ])
  })
})

describe('what is refused, with nothing changed', () => {
  const cases: readonly (readonly [string, object, readonly object[], string, number, RegExp])[] = [
    ['a missing key', {}, [{ city: 'oslo', flights: 1 }], '', 400, /day/],
    ['an operation that is not known', {}, [{ ...oslo, __op: 'X' }], '', 400, /__op/],
    [
      'a delete where deletes are disabled',
      { options: { 'delete.behavior': 'disable' } },
      [oslo],
      '?op=delete',
      400,
      /delete\.behavior/,
    ],
    ['a part without the key', {}, [oslo], '?columns=city,note', 400, /day/],
    ['a column that is not there', {}, [oslo], '?columns=city,day,nte', 400, /nte/],
    ['a key of a megabyte', {}, [{ ...oslo, city: 'x'.repeat(1_000_000) }], '', 400, /8192 bytes/],
  ]
  test.each(cases)('%s', async (name, more, rows, query, status, message) => {
    const path = await makeTable(site.client, `refused-${name.replaceAll(/[^a-z]/g, '-')}`, { ...keyed, ...more })
    const { status: found, json } = await send(path, [{ ...rome, flights: 1 }, ...rows], query)
    expect([found, json.error.effect]).toEqual([status, 'none'])
    expect(json.error.message).toMatch(message)
    expect((await site.client.get(`${path}/rows?count=true`)).json).toEqual({ count: '0' })
  })

  test('lookups of a log table, of too many keys, and of no key', async () => {
    const log = await makeTable(site.client, 'no-keys')
    expect((await lookup(log, { keys: [{ id: 1 }] })).json.error.message).toMatch(/no primary key/)
    expect((await site.client.get(`${log}/rows`)).status).toBe(400)
    const path = await makeTable(site.client, 'lookups', keyed)
    expect((await lookup(path, { keys: Array(1_001).fill(oslo) })).status).toBe(400)
    expect((await lookup(path, { keys: [{ city: 'oslo' }] })).json.error.message).toMatch(/day/)
    expect((await lookup(path, { keys: [{ ...oslo, cty: 1 }] })).json.error.code).toBe('unknown-field')
    expect((await lookup(path, { keys: [oslo], columns: ['nte'] })).json.error.message).toMatch(/note/)
    expect((await lookup(path, { keys: [] })).json).toEqual({ rows: [], buckets: [] })
    expect((await lookup('/v1/databases/d/tables/none', { keys: [oslo] })).status).toBe(404)
  })
})
