/** Produce over HTTP: three forms in, producers, several buckets, bodies that are refused. */

import { gzipSync, zstdCompressSync } from 'node:zlib'
import { Int32, Int64, Table, tableToIPC, Utf8, vectorFromArray } from 'apache-arrow'
import { describe, expect, test } from 'vitest'
import { lines, makeTable, ndjson, readLines, siteOfFile } from './harness.ts'

const site = await siteOfFile()

const producer = (id: string, seq: number | string, epoch?: number | string) => ({
  'Producer-Id': id,
  'Producer-Seq': String(seq),
  ...(epoch === undefined ? {} : { 'Producer-Epoch': String(epoch) }),
})

async function readAll(path: string, bucket = 0) {
  return readLines((await site.client.get(`${path}/log?bucket=${bucket}&offset=earliest`)).text)
}

describe('three forms in, one log out', () => {
  const rows = [
    { id: '1', text: 'one' },
    { id: '9007199254740993', text: 'zwei ✓' },
    { id: '-9223372036854775808', text: null },
  ]
  const arrow = () =>
    tableToIPC(
      new Table({
        id: vectorFromArray(
          rows.map((row) => BigInt(row.id)),
          new Int64(),
        ),
        text: vectorFromArray(
          rows.map((row) => row.text),
          new Utf8(),
        ),
      }),
      'stream',
    )

  test.each([
    ['NDJSON', 'application/x-ndjson', () => lines(rows)],
    ['JSON', 'application/json', () => JSON.stringify({ rows })],
    ['Arrow', 'application/vnd.apache.arrow.stream', arrow],
    ['NDJSON without a last line end', 'application/x-ndjson; charset=utf-8', () => lines(rows).trimEnd()],
  ])('%s', async (name, type, body) => {
    const path = await makeTable(site.client, `form-${name.replaceAll(' ', '-')}`)
    const { json, headers } = await site.client.send('POST', `${path}/records`, {
      body: body(),
      headers: { 'Content-Type': type },
    })
    expect(json).toEqual({ buckets: [{ partition: '', bucket: 0, baseOffset: '0', endOffset: '3' }], duplicate: false })
    expect(headers['sluice-requests']).toMatch(/items\.update=1/)
    expect((await readAll(path)).map(({ id, text }) => ({ id, text }))).toEqual(rows)
  })

  test.each([
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
  ])('encoded as %s; a repeat that is not is still the same request', async (encoding, compress) => {
    const path = await makeTable(site.client, `encoded-${encoding}`)
    const body = Buffer.from(lines(rows))
    const headers = { ...ndjson, ...producer('p', 0) }
    const first = await site.client.send('POST', `${path}/records`, {
      body: compress(body),
      headers: { ...headers, 'Content-Encoding': encoding },
    })
    expect([first.status, first.json.duplicate]).toEqual([200, false])
    const second = await site.client.send('POST', `${path}/records`, { body, headers })
    expect([second.status, second.json.duplicate, second.json.buckets[0].baseOffset]).toEqual([200, true, '0'])
  })

  test.each([
    ['NDJSON', 'application/x-ndjson', ''],
    ['NDJSON of blank lines', 'application/x-ndjson', '\n\n'],
    ['JSON', 'application/json', '{"rows":[]}'],
  ])('no rows as %s: no bucket, and no sequence recorded', async (name, type, body) => {
    const path = await makeTable(site.client, `none-${name.replaceAll(' ', '-')}`)
    const { status, json } = await site.client.send('POST', `${path}/records`, {
      body,
      headers: { 'Content-Type': type, ...producer('p', 7) },
    })
    expect([status, json]).toEqual([200, { buckets: [], duplicate: false }])
    const later = await site.client.send('POST', `${path}/records`, {
      body: '{"id":1}',
      headers: { ...ndjson, ...producer('p', 0) },
    })
    expect(later.status).toBe(200)
  })
})

describe('a producer', () => {
  const send = (path: string, headers: Record<string, string>, body = '{"id":1}', query = '') =>
    site.client.send('POST', `${path}/records${query}`, { body, headers: { ...ndjson, ...headers } })

  test('repeats, goes on, comes late, changes its mind, is fenced', async () => {
    const path = await makeTable(site.client, 'producer')
    expect((await send(path, producer('p', 3))).json.buckets[0].endOffset).toBe('1')
    expect((await send(path, producer('p', 5))).json.buckets[0].endOffset).toBe('2')
    expect((await send(path, producer('p', 5))).json).toMatchObject({
      duplicate: true,
      buckets: [{ baseOffset: '1', endOffset: '2' }],
    })
    expect((await send(path, producer('p', 4))).json.error).toMatchObject({ code: 'sequence-old', effect: 'none' })
    expect((await send(path, producer('p', 5), '{"id":2}')).json.error).toMatchObject({ code: 'sequence-reused', action: 'fix' })
    expect((await send(path, producer('p', 0, 1))).json.duplicate).toBe(false)
    const fenced = await send(path, producer('p', 6, 0))
    expect([fenced.status, fenced.json.error.code, fenced.json.error.action]).toEqual([403, 'stale-epoch', 'stop'])
    expect(await readAll(path)).toHaveLength(3)
  })

  test('gaps are seen where the bucket is named', async () => {
    const path = await makeTable(site.client, 'gaps', { buckets: { count: 2 } })
    expect((await send(path, producer('p', 10), '{"id":1}', '?bucket=1')).status).toBe(200)
    const gap = await send(path, producer('p', 12), '{"id":1}', '?bucket=1')
    expect([gap.status, gap.json.error.code, gap.json.error.facts.expected]).toEqual([409, 'sequence-gap', '11'])
    expect((await send(path, producer('p', 11), '{"id":1}', '?bucket=1')).status).toBe(200)
    expect((await send(path, producer('p', 99, 1), '{"id":1}', '?bucket=1')).status).toBe(200)
  })

  test('the greatest sequence and epoch are numbers like others', async () => {
    const path = await makeTable(site.client, 'greatest')
    const max = (2n ** 63n - 1n).toString()
    expect((await send(path, producer('p', max, max))).status).toBe(200)
    expect((await send(path, producer('p', max, max))).json.duplicate).toBe(true)
    expect((await send(path, producer('p', (2n ** 53n + 1n).toString(), max))).json.error.code).toBe('sequence-old')
    expect((await send(path, producer('p', '0', (2n ** 62n).toString()))).json.error.code).toBe('stale-epoch')
  })

  test.each([
    ['a sequence without an id', { 'Producer-Seq': '0' }],
    ['an epoch without an id', { 'Producer-Epoch': '0' }],
    ['an id without a sequence', { 'Producer-Id': 'p' }],
    ['an id of 129 characters', producer('p'.repeat(129), 0)],
    ['2^63', producer('p', '9223372036854775808')],
    ['an epoch of 2^64', producer('p', 0, '18446744073709551616')],
    ['-1', producer('p', '-1')],
    ['1.0', producer('p', '1.0')],
    ['1e3', producer('p', '1e3')],
    ['0x1', producer('p', '0x1')],
    ['two sequences', producer('p', '1, 2')],
    ['no digits', producer('p', '')],
  ])('%s is refused', async (_what, headers) => {
    const path = await tableOnce('refusals')
    const { status, json } = await send(path, headers)
    expect([status, json.error.code]).toEqual([400, 'bad-request'])
  })

  test('an id is 1 to 128 characters of UTF-8', async () => {
    const path = await tableOnce('refusals')
    const id = Buffer.from('é✓😀'.repeat(42)).toString('latin1')
    expect((await send(path, producer(id, 0))).json).toMatchObject({ duplicate: false })
    expect((await send(path, producer(id, 0))).json.duplicate).toBe(true)
    expect((await send(path, producer('\xff\xfe', 0))).status).toBe(400)
    expect((await send(path, producer('x'.repeat(128), 0))).status).toBe(200)
  })

  test('many at once lose nothing', async () => {
    const path = await makeTable(site.client, 'crowd', { buckets: { count: 4 } })
    const answers = await Promise.all(
      Array.from({ length: 40 }, async (_, lane) => {
        const seen: object[] = []
        for (let seq = 0; seq < 5; seq++)
          seen.push((await send(path, producer(`lane-${lane}`, seq), lines([{ id: lane * 100 + seq }]))).json)
        return seen
      }),
    )
    expect(answers.flat()).toHaveLength(200)
    const ids = (await Promise.all([0, 1, 2, 3].map((bucket) => readAll(path, bucket)))).flat().map(({ id }) => id)
    expect(new Set(ids).size).toBe(200)
    expect(ids).toHaveLength(200)
  })
})

const tables = new Map<string, Promise<string>>()
function tableOnce(name: string): Promise<string> {
  const found = tables.get(name) ?? makeTable(site.client, name)
  tables.set(name, found)
  return found
}

describe('buckets', () => {
  test('rows go by their key; each bucket says what became of it', async () => {
    const path = await makeTable(site.client, 'keyed', { buckets: { count: 4, key: ['id'] } })
    const rows = Array.from({ length: 100 }, (_, id) => ({ id, text: 'x' }))
    const headers = { ...ndjson, ...producer('p', 0) }
    const { json } = await site.client.send('POST', `${path}/records`, { body: lines(rows), headers })
    expect(
      json.buckets.map((bucket: { bucket: number; effect: string; duplicate: boolean }) => [
        bucket.bucket,
        bucket.effect,
        bucket.duplicate,
      ]),
    ).toEqual([
      [0, 'done', false],
      [1, 'done', false],
      [2, 'done', false],
      [3, 'done', false],
    ])
    expect(json.buckets.reduce((sum: number, bucket: { endOffset: string }) => sum + Number(bucket.endOffset), 0)).toBe(100)
    expect((await site.client.send('POST', `${path}/records`, { body: lines(rows), headers })).json.duplicate).toBe(true)
    const elsewhere = await site.client.send('POST', `${path}/records?bucket=0`, { body: lines(rows), headers: ndjson })
    expect([elsewhere.status, elsewhere.json.error.code]).toEqual([400, 'invalid-rows'])
    const offsets = (await site.client.get(`${path}/offsets`)).json
    expect(offsets.next).toBe(null)
    expect(offsets.buckets.map((bucket: { end: string }) => bucket.end)).toEqual(
      json.buckets.map((bucket: { endOffset: string }) => bucket.endOffset),
    )
  })

  test('a bucket that is not there', async () => {
    const path = await tableOnce('refusals')
    const { status, json } = await site.client.send('POST', `${path}/records?bucket=1`, { body: '{"id":1}', headers: ndjson })
    expect([status, json.error.code]).toEqual([400, 'bad-request'])
  })

  test('a bucket that was asked for takes what has no key', async () => {
    const path = await makeTable(site.client, 'asked', { buckets: { count: 8 } })
    const { json } = await site.client.send('POST', `${path}/records?bucket=5`, { body: '{"id":1}', headers: ndjson })
    expect(json.buckets[0]).toMatchObject({ bucket: 5, endOffset: '1' })
  })

  test('offsets come in pages', async () => {
    const path = await tableOnce('asked-again').then(() => makeTable(site.client, 'paged', { buckets: { count: 5 } }))
    const first = (await site.client.get(`${path}/offsets?limit=3`)).json
    expect([first.buckets.length, first.next]).toEqual([3, '2'])
    const second = (await site.client.get(`${path}/offsets?limit=3&after=${first.next}`)).json
    expect([second.buckets.map((bucket: { bucket: number }) => bucket.bucket), second.next]).toEqual([[3, 4], null])
  })
})

describe('bodies that are refused', () => {
  const refused = async (body: string | Uint8Array, type: string, status: number, code: string, headers = {}) => {
    const path = await tableOnce('refusals')
    const answer = await site.client.send('POST', `${path}/records`, {
      body,
      headers: { ...(type === '' ? {} : { 'Content-Type': type }), ...headers },
    })
    expect([answer.status, answer.json.error.code, answer.json.error.effect]).toEqual([status, code, 'none'])
    return answer.json.error
  }
  test('no media type, a foreign one', async () => {
    const error = await refused('{"id":1}', '', 415, 'unsupported-media-type')
    expect(error.facts.accepted).toEqual(['application/x-ndjson', 'application/json', 'application/vnd.apache.arrow.stream'])
    await refused('id\n1', 'text/csv', 415, 'unsupported-media-type')
  })
  test('a foreign encoding', () =>
    refused('{"id":1}', 'application/x-ndjson', 415, 'unsupported-media-type', { 'Content-Encoding': 'br' }))
  test('what is not in its encoding', () =>
    refused('{"id":1}', 'application/x-ndjson', 400, 'bad-request', { 'Content-Encoding': 'gzip' }))
  test('rows that are none', async () => {
    for (const body of ['{', '[]', '1', 'null', '"x"', '{"id":1}}', '{"id":1} {"id":2}'])
      await refused(body, 'application/x-ndjson', 400, 'invalid-rows')
    for (const body of ['', '{}', '[]', '{"rows":1}', '{"rows":[1]}', '{"rows":[]} x'])
      await refused(body, 'application/json', 400, 'invalid-rows')
  })
  test('values that do not fit', async () => {
    const error = await refused('{"id":1}\n{"id":9223372036854775808}\n', 'application/x-ndjson', 400, 'invalid-rows')
    expect(error.message).toMatch(/line 2/)
    await refused('{"id":1.5}', 'application/x-ndjson', 400, 'invalid-rows')
    await refused('{"id":null}', 'application/x-ndjson', 400, 'invalid-rows')
    await refused('{"id":1,"text":2}', 'application/x-ndjson', 400, 'invalid-rows')
    await refused('{"id":1,"id":2}', 'application/x-ndjson', 400, 'invalid-rows')
  })
  test('a column that is not there', async () => {
    const path = await tableOnce('refusals')
    const { status, json } = await site.client.send('POST', `${path}/records`, { body: '{"id":1,"txt":"x"}', headers: ndjson })
    expect(status).toBe(400)
    expect(json.error.message).toContain('text')
  })
  test('Arrow that is none', async () => {
    const type = 'application/vnd.apache.arrow.stream'
    await refused('', type, 400, 'invalid-rows')
    await refused('x', type, 400, 'invalid-rows')
    await refused(new Uint8Array(64).fill(255), type, 400, 'invalid-rows')
  })
  test('more than 4 MiB as sent, with a length and without', async () => {
    await refused(new Uint8Array(4 * 1024 * 1024 + 1), 'application/x-ndjson', 413, 'too-large')
    await refused(new Uint8Array(4 * 1024 * 1024 + 1), 'application/x-ndjson', 413, 'too-large', {
      'Transfer-Encoding': 'chunked',
    })
  })
  test('more than 32 MiB expanded, early', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, 32), { level: 1 })
    const before = process.memoryUsage().rss
    await refused(bomb, 'application/x-ndjson', 413, 'too-large', { 'Content-Encoding': 'gzip' })
    expect(process.memoryUsage().rss - before).toBeLessThan(120 * 1024 * 1024)
    await refused(zstdCompressSync(Buffer.alloc(64 * 1024 * 1024)), 'application/x-ndjson', 413, 'too-large', {
      'Content-Encoding': 'zstd',
    })
  })
  test('a row of more than 1 MiB', () =>
    refused(lines([{ id: 1, text: 'x'.repeat(1024 * 1024 + 1) }]), 'application/x-ndjson', 400, 'invalid-rows'))
  test('what a table without a primary key has no use for', async () => {
    const path = await tableOnce('refusals')
    for (const query of ['op=upsert', 'op=delete', 'columns=id']) {
      expect((await site.client.send('POST', `${path}/records?${query}`, { body: '{"id":1}', headers: ndjson })).status).toBe(400)
    }
    expect((await site.client.send('POST', `${path}/records?partition=k=1`, { body: '{"id":1}', headers: ndjson })).status).toBe(
      400,
    )
    expect((await site.client.send('POST', `${path}/records?op=merge`, { body: '{"id":1}', headers: ndjson })).status).toBe(400)
  })
})

test('a table that was dropped and made again by another process is found at once', async () => {
  const path = await makeTable(site.client, 'moved')
  expect((await site.client.send('POST', `${path}/records`, { body: '{"id":1}', headers: ndjson })).status).toBe(200)
  const { dropTable } = await import('../../core/log/drop.ts')
  const { createTable, getTable } = await import('../../core/catalog/tables.ts')
  const { specOf } = await import('../../core/model/spec.ts')
  const spec = specOf(await getTable(site.running.world, 'd', 'moved'))
  await dropTable(site.running.world, 'd', 'moved')
  expect((await site.client.send('POST', `${path}/records`, { body: '{"id":2}', headers: ndjson })).status).toBe(404)
  await site.client.send('POST', `${path}/records`, { body: '{"id":2}', headers: ndjson })
  await createTable(site.running.world, 'd', 'moved', spec)
  const { json } = await site.client.send('POST', `${path}/records`, { body: '{"id":3}', headers: ndjson })
  expect(json.buckets[0]).toMatchObject({ baseOffset: '0', endOffset: '1' })
  expect((await readAll(path)).map(({ id }) => id)).toEqual(['3'])
})

test('long text and bytes are stored as they came, in whatever memory they came', async () => {
  const path = await makeTable(site.client, 'long-values', {
    columns: [
      { name: 't', type: 'string' },
      { name: 'n', type: 'int' },
    ],
  })
  const texts = ['a'.repeat(33), 'b'.repeat(500), 'é'.repeat(40)]
  for (const text of texts) {
    const body = tableToIPC(
      new Table({ t: vectorFromArray([text, '0'], new Utf8()), n: vectorFromArray([1, 2], new Int32()) }),
      'stream',
    )
    const { status } = await site.client.send('POST', `${path}/records`, {
      body,
      headers: { 'Content-Type': 'application/vnd.apache.arrow.stream' },
    })
    expect(status).toBe(200)
  }
  const { text } = await site.client.get(`${path}/log?bucket=0&offset=0`)
  expect(readLines(text).flatMap(({ t }) => (t === '0' ? [] : [t]))).toEqual(texts)
})
