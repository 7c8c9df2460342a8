/** Tables with a primary key through the client, against a server of a script. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { SluiceClient } from './client.ts'
import { fakeFetch, json, lost, rows, type Sent, type Step } from './fake-fetch.case.ts'

const old = JSON.parse(await readFile(new URL('./fixtures/keyed.json', import.meta.url), 'utf8'))
const refusal = (status: number, code: string, action = 'fix') =>
  json(status, { error: { code, message: 'no', effect: 'none', action, facts: {} } })
const acked = () => json(200, { buckets: [], duplicate: false })

function clientOf(steps: readonly Step[], retryForMs = 20_000) {
  const { fetch, sent } = fakeFetch(steps)
  return { client: new SluiceClient({ url: 'http://sluice/', fetch, retryForMs }), sent }
}

const keysIn = ({ body }: Sent): readonly { city: string }[] => JSON.parse(body).keys
/** A row for each key but those of `absent`; `n` is text, as a bigint comes. */
const found =
  (absent: readonly string[] = []): Step =>
  (sent) =>
    json(200, { rows: keysIn(sent).map(({ city }) => (absent.includes(city) ? null : { city, flights: '7' })) })

test('answers of earlier versions, and of later ones with more in them, are understood', async () => {
  const { client } = clientOf([json(200, old.table), json(200, old.lookup), json(200, old.prefix), json(200, old.count)])
  const [rome, oslo] = await Promise.all(['rome', 'oslo'].map((city) => client.lookup('d', 't', { city })))
  expect([rome, oslo]).toEqual([undefined, { city: 'oslo', day: '2026-11-21', flights: 2n ** 53n + 1n, later: { a: 1 } }])
  const [first] = await Promise.all(['oslo', 'rome'].map((city) => client.lookupPrefix('d', 't', { city })))
  expect(first?.map(({ flights }) => flights)).toEqual([1n, null])
  expect(await client.rowCount('d', 't')).toBe(2n ** 63n - 1n)
})

test('lookups of one moment are one request, of other options another one, and each caller gets its own row', async () => {
  const { client, sent } = clientOf([json(200, old.table), found(['rome']), found()])
  const [oslo, rome, ulm] = await Promise.all([
    client.lookup('d', 't', { city: 'oslo', day: new Date(0) }),
    client.lookup('d', 't', { city: 'rome', day: '1970-01-01' }),
    client.lookup('d', 't', { city: 'ulm', day: '1970-01-01' }, { columns: ['city'], stale: true }),
  ])
  expect([oslo, rome, ulm]).toEqual([{ city: 'oslo', flights: 7n }, undefined, { city: 'ulm', flights: 7n }])
  expect(sent.slice(1).map(({ path, body }) => [path, JSON.parse(body)])).toEqual([
    [
      '/v1/databases/d/tables/t/lookup',
      {
        keys: [
          { city: 'oslo', day: '1970-01-01' },
          { city: 'rome', day: '1970-01-01' },
        ],
      },
    ],
    ['/v1/databases/d/tables/t/lookup', { keys: [{ city: 'ulm', day: '1970-01-01' }], columns: ['city'], stale: true }],
  ])
})

test('128 keys are a request, and no more than eight of them are under way', async () => {
  let inFlight = 0
  let most = 0
  const step: Step = async (sent) => {
    most = Math.max(most, ++inFlight)
    await new Promise((resolve) => setTimeout(resolve, 2))
    inFlight--
    return (found() as (sent: Sent) => Response)(sent)
  }
  const { client, sent } = clientOf([json(200, old.table), ...new Array(20).fill(step)])
  const cities = Array.from({ length: 20 * 128 }, (_, n) => `c${n}`)
  const got = await Promise.all(cities.map((city) => client.lookup('d', 't', { city })))
  expect(got.map((row) => row?.['city'])).toEqual(cities)
  expect(sent.slice(1).every((each) => keysIn(each).length === 128)).toBe(true)
  expect(most).toBe(8)
})

test('a key that is refused is the error of its caller alone', async () => {
  const step: Step = (sent) =>
    keysIn(sent).some(({ city }) => city === 'bad') ? refusal(400, 'invalid-rows') : (found() as (sent: Sent) => Response)(sent)
  const { client } = clientOf([json(200, old.table), ...new Array(9).fill(step)])
  const cities = ['a', 'b', 'bad', 'c', 'd']
  const settled = await Promise.allSettled(cities.map((city) => client.lookup('d', 't', { city })))
  expect(settled.map((each) => (each.status === 'fulfilled' ? each.value?.['city'] : each.reason.code))).toEqual([
    'a',
    'b',
    'invalid-rows',
    'c',
    'd',
  ])
})

test('a key that JSON cannot say is not sent, and is the error of its caller alone', async () => {
  const { client, sent } = clientOf([json(200, old.table), found()])
  const cities = ['a', Symbol('b'), new Date(Number.NaN), () => 'c']
  const settled = await Promise.allSettled(cities.map((city) => client.lookup('d', 't', { city })))
  expect(settled.map((each) => (each.status === 'fulfilled' ? each.value?.['city'] : each.reason.message))).toEqual([
    'a',
    'a symbol is no value of a column',
    'an invalid Date is no value of a column',
    'a function is no value of a column',
  ])
  expect(keysIn(sent[1] as Sent)).toEqual([{ city: 'a' }])
})

test('what is wrong with all keys is said to all of them, once', async () => {
  const { client, sent } = clientOf([json(200, old.table), refusal(400, 'bad-request')])
  const settled = await Promise.allSettled(['a', 'b'].map((city) => client.lookup('d', 't', { city }, { columns: ['x'] })))
  expect(settled.map((each) => each.status === 'rejected' && each.reason.code)).toEqual(['bad-request', 'bad-request'])
  expect(sent.length).toBe(2)
})

test('a lookup is repeated while it fails in passing, and a lost one had no effect', async () => {
  const { client, sent } = clientOf([json(200, old.table), lost(), refusal(503, 'unavailable', 'retry'), found()])
  expect(await client.lookup('d', 't', { city: 'a' })).toMatchObject({ city: 'a' })
  expect(new Set(sent.slice(1).map(({ body }) => body)).size).toBe(1)
  const hopeless = clientOf([json(200, old.table), lost()], 0).client
  await expect(hopeless.lookup('d', 't', { city: 'a' })).rejects.toMatchObject({ code: 'unavailable', effect: 'none' })
})

test('a lookup that inserts is repeated too, and a lost one may have made the row', async () => {
  const { client, sent } = clientOf([json(200, old.table), lost(), found()])
  expect(await client.lookup('d', 't', { city: 'a' }, { insert: true })).toMatchObject({ city: 'a' })
  expect(JSON.parse(sent[2]?.body ?? '')).toEqual({ keys: [{ city: 'a' }], insert: true })
  const hopeless = clientOf([json(200, old.table), lost()], 0).client
  await expect(hopeless.lookup('d', 't', { city: 'a' }, { insert: true })).rejects.toMatchObject({ effect: 'unknown' })
})

test('rows of a prefix are those of their caller', async () => {
  const { client, sent } = clientOf([json(200, old.table), json(200, old.prefix)])
  const [oslo, rome] = await Promise.all(['oslo', 'rome'].map((city) => client.lookupPrefix('d', 't', { city }, { limit: 2 })))
  expect([oslo?.map(({ flights }) => flights), rome]).toEqual([[1n, null], []])
  expect(JSON.parse(sent[1]?.body ?? '')).toEqual({ keys: [{ city: 'oslo' }, { city: 'rome' }], limit: 2 })
})

test('current rows come page by page, whatever fails between', async () => {
  const page = (city: string, cursor?: string) => {
    const answer = rows([{ city, flights: '1' }], cursor ?? '')
    if (cursor === undefined) answer.headers.delete('Sluice-Cursor')
    return answer
  }
  const cut = rows([{ city: 'rome' }], 'c2', { 'Sluice-Rows': '2' })
  const { client, sent } = clientOf([
    page('oslo', 'c1'),
    json(200, old.table),
    lost(),
    json(429, {}, { 'Retry-After': '0' }),
    cut,
    page('rome', 'c2'),
    refusal(503, 'unavailable', 'retry'),
    page('ulm'),
  ])
  const seen = []
  for await (const { rows } of client.rows('d', 't', { where: 'flights = 1', limit: 1 })) seen.push(...rows)
  expect(seen).toEqual(['oslo', 'rome', 'ulm'].map((city) => ({ city, flights: 1n })))
  const cursors = sent.filter(({ path }) => path.includes('/rows')).map(({ path }) => /cursor=([^&]*)/.exec(path)?.[1])
  expect(cursors).toEqual([undefined, 'c1', 'c1', 'c1', 'c1', 'c2', 'c2'])
  expect(sent[0]?.path).toBe('/v1/databases/d/tables/t/rows?where=flights+%3D+1&limit=1')
})

test('a changelog says what each change is, and where it lies', async () => {
  const { client } = clientOf([rows(old.changes, 'c'), json(200, old.table)])
  const { value } = await client.changelog('d', 't', { follow: false }).next()
  const at = { partition: '', bucket: 3, timestamp: '2026-11-21T09:30:00.123Z' }
  const row = { city: 'oslo', day: '2026-11-21', later: null }
  expect(value).toEqual({
    changes: [
      { ...at, kind: '-U', offset: 4n, row: { ...row, flights: 1n } },
      { ...at, kind: '+U', offset: 5n, row: { ...row, flights: 2n } },
    ],
    cursor: 'c',
  })
})

test('a scan is ended by its cursor, also where the server does not know how', async () => {
  const { client, sent } = clientOf([lost(), rows([], ''), refusal(400, 'unknown-field'), refusal(400, 'bad-cursor')])
  await client.endRows('d', 't', 'c 1')
  await client.endRows('d', 't', 'c 1')
  await expect(client.endRows('d', 't', 'c 1')).rejects.toMatchObject({ code: 'bad-cursor' })
  expect(sent.map(({ path }) => path)).toEqual(new Array(4).fill('/v1/databases/d/tables/t/rows?cursor=c+1&end=true'))
})

test('a binlog has the rows before and after, typed, and goes on by its cursor', async () => {
  const { client, sent } = clientOf([rows(old.binlog, 'c'), json(200, old.table), rows([], 'c')])
  const found = []
  for await (const { changes } of client.binlog('d', 't', { follow: false, bucket: 3 })) found.push(...changes)
  const row = { city: 'oslo', day: '2026-11-21', later: null }
  const at = { partition: '', bucket: 3, timestamp: '2026-11-21T09:30:00.123Z' }
  expect(found).toEqual([
    { ...at, kind: '+I', offset: 4n, before: null, after: { ...row, flights: 1n } },
    { ...at, kind: '+U', offset: 6n, before: { ...row, flights: 1n }, after: { ...row, flights: 2n } },
    { ...at, kind: '-D', offset: 7n, before: { ...row, flights: 2n }, after: null },
  ])
  expect(sent[0]?.path).toMatch(/bucket=3.*form=binlog$/)
  expect(sent[2]?.path).toMatch(/cursor=c&form=binlog$/)
})

test('upserts and deletes go in order through one lane, in the form that was chosen', async () => {
  const { client, sent } = clientOf([json(200, old.table), lost(), acked(), json(200, old.table), acked()])
  const producer = await client.producer('d', 't', { lanes: 1, columns: ['city', 'day', 'flights'] })
  await producer.write({ city: 'oslo', day: '2026-11-21', flights: 1 })
  await producer.delete({ city: 'oslo', day: '2026-11-21' })
  await producer.close()
  expect(sent[2]).toEqual(sent[1])
  expect(sent[1]).toMatchObject({
    path: '/v1/databases/d/tables/t/records?columns=city%2Cday%2Cflights',
    body: '{"city":"oslo","day":"2026-11-21","flights":1}\n{"city":"oslo","day":"2026-11-21","__op":"D"}\n',
  })
  await client.upsert('d', 't', { city: 'oslo', day: '2026-11-21' })
  expect(sent[4]).toMatchObject({ path: '/v1/databases/d/tables/t/records', headers: { 'Producer-Seq': '0' } })
})

test('nothing is deleted from a table without a primary key', async () => {
  const { client, sent } = clientOf([json(200, { ...old.table, primaryKey: [] })])
  await expect(client.delete('d', 't', { city: 'oslo' })).rejects.toMatchObject({ code: 'bad-request' })
  expect(sent.length).toBe(1)
})

test('a row that cannot be written leaves none of its call in the log', async () => {
  const { client, sent } = clientOf([json(200, old.table), json(200, old.table)])
  const rows = [{ city: 'oslo' }, { city: 'rome' }, { city: Symbol('ulm') }]
  await expect(client.upsert('d', 't', rows, { lingerMs: 0 })).rejects.toMatchObject({ code: 'invalid-rows', effect: 'none' })
  const producer = await client.producer('d', 't', { lingerMs: 0 })
  await expect(producer.write(rows)).rejects.toMatchObject({ code: 'invalid-rows' })
  await producer.close()
  expect(sent.map(({ method }) => method)).toEqual(['GET', 'GET'])
})

test('a call whose later request is refused says that the first of its rows are in the log, and sends no more', async () => {
  const { client, sent } = clientOf([json(200, old.table), acked(), refusal(400, 'invalid-rows')])
  const acks: number[] = []
  const rows = ['oslo', 'rome', 'ulm'].map((city) => ({ city, day: '2026-11-21' }))
  const written = client.upsert('d', 't', rows, { batchBytes: 1, onAcked: (each) => acks.push(each.rows) })
  await expect(written).rejects.toMatchObject({ code: 'invalid-rows', effect: 'partial' })
  expect(acks).toEqual([1])
  expect(sent.slice(1).map(({ body }) => JSON.parse(body).city)).toEqual(['oslo', 'rome'])
})

test('a call whose first request is refused had no effect', async () => {
  const { client } = clientOf([json(200, old.table), refusal(400, 'invalid-rows')])
  await expect(client.delete('d', 't', { city: 'oslo' })).rejects.toMatchObject({ code: 'invalid-rows', effect: 'none' })
})
