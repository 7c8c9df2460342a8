/** Whole tables over HTTP: by cursor, from a time, some columns, some rows; cursors come back from anywhere. */
import { tableFromIPC } from 'apache-arrow'
import { beforeAll, describe, expect, test } from 'vitest'
import { lines, makeTable, ndjson, readLines, siteOfFile } from './harness.ts'

const site = await siteOfFile()

const arrow = { Accept: 'application/vnd.apache.arrow.stream' }

const dated = {
  columns: [
    { name: 'id', type: 'bigint', nullable: false },
    { name: 'day', type: 'string' },
    { name: 'hour', type: 'int' },
  ],
  partitionBy: ['day', 'hour'],
  buckets: { count: 2 },
}

async function produce(path: string, rows: readonly object[], query = ''): Promise<void> {
  const { status, text } = await site.client.send('POST', `${path}/records${query}`, { body: lines(rows), headers: ndjson })
  if (status !== 200) throw new Error(text)
}

const log = (path: string, query: string, headers: Record<string, string> = {}) =>
  site.client.get(`${path}/log?${query}`, headers)

/** Until it is caught up. */
async function readAll(path: string, first: string, more = '') {
  const rows: Record<string, unknown>[] = []
  let query = first
  for (let page = 0; ; page++) {
    const answer = await log(path, `${query}${more}`)
    if (answer.status !== 200) throw new Error(answer.text)
    const found = readLines(answer.text)
    if (found.length === 0) return { rows, cursor: answer.headers['sluice-cursor'] as string, pages: page }
    rows.push(...found)
    query = `cursor=${answer.headers['sluice-cursor']}`
  }
}

const idsOf = (rows: readonly Record<string, unknown>[]): number[] => rows.map(({ id }) => Number(id)).sort((a, b) => a - b)

describe('a cursor', () => {
  test('reads every row of every bucket once, each bucket in its order, however small the pages', async () => {
    const path = await makeTable(site.client, 'whole', { buckets: { count: 5 } })
    for (let i = 0; i < 40; i++) await produce(path, [{ id: 2 * i }, { id: 2 * i + 1 }])
    for (const more of ['', '&limit=1', '&limit=3', '&maxBytes=1']) {
      const { rows, pages } = await readAll(path, 'offset=earliest', more)
      expect(idsOf(rows)).toEqual(Array.from({ length: 80 }, (_, id) => id))
      if (more === '&limit=1') expect(pages).toBe(80)
      const next = new Map<unknown, number>()
      for (const { __bucket, __offset } of rows) {
        expect(Number(__offset)).toBe(next.get(__bucket) ?? 0)
        next.set(__bucket, Number(__offset) + 1)
      }
      expect(next.size).toBe(5)
    }
  })

  test('lets no bucket starve: small pages come from each in turn', async () => {
    const path = await makeTable(site.client, 'turns', { buckets: { count: 3 } })
    for (const bucket of [0, 1, 2]) await produce(path, [{ id: 1 }, { id: 2 }, { id: 3 }], `?bucket=${bucket}`)
    const { rows } = await readAll(path, 'offset=earliest', '&limit=1')
    expect(rows.map(({ __bucket }) => __bucket)).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2])
  })

  test('NDJSON rows end with partition and bucket when the table is read', async () => {
    const path = await makeTable(site.client, 'ends', dated)
    await produce(path, [{ id: 1, day: 'mon', hour: 7 }], '?bucket=1&partition=day%3Dmon%2Fhour%3D7')
    const { rows } = await readAll(path, 'offset=earliest')
    expect(Object.keys(rows[0] ?? {})).toEqual(['id', 'day', 'hour', '__offset', '__timestamp', '__partition', '__bucket'])
    expect(rows[0]).toMatchObject({ __partition: 'day=mon/hour=7', __bucket: 1, __offset: '0' })
  })

  test('meets partitions that are made after it, from their earliest, and lets dropped ones go', async () => {
    const path = await makeTable(site.client, 'joins', dated)
    await produce(path, [
      { id: 1, day: 'mon', hour: 1 },
      { id: 2, day: 'tue', hour: 1 },
    ])
    const first = await readAll(path, 'offset=earliest')
    expect(idsOf(first.rows)).toEqual([1, 2])
    await produce(path, [
      { id: 3, day: 'sun', hour: 1 },
      { id: 4, day: 'mon', hour: 1 },
    ])
    expect((await site.client.send('DELETE', `${path}/partitions/day=tue/hour=1`)).status).toBe(204)
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    const second = await readAll(path, `cursor=${first.cursor}`)
    expect(idsOf(second.rows)).toEqual([3, 4])
    await produce(path, [{ id: 5, day: 'tue', hour: 1 }])
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    expect(idsOf((await readAll(path, `cursor=${second.cursor}`)).rows)).toEqual([5])
  })

  test('from latest nothing old comes, also of partitions; what is new does', async () => {
    const path = await makeTable(site.client, 'latest', dated)
    await produce(path, [{ id: 1, day: 'mon', hour: 1 }])
    const { rows, cursor } = await readAll(path, 'offset=latest')
    expect(rows).toEqual([])
    await produce(path, [
      { id: 2, day: 'mon', hour: 1 },
      { id: 3, day: 'new', hour: 1 },
    ])
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    expect(idsOf((await readAll(path, `cursor=${cursor}`)).rows)).toEqual([2, 3])
  })

  test('of another table 400, of a dropped one 410, whether or not its name is taken again', async () => {
    const one = await makeTable(site.client, 'one')
    const other = await makeTable(site.client, 'other')
    const cursor = (await log(one, 'offset=earliest')).headers['sluice-cursor']
    expect((await log(other, `cursor=${cursor}`)).json.error).toMatchObject({
      code: 'bad-cursor',
      facts: { parameter: 'cursor' },
    })
    await site.client.send('DELETE', one)
    const dropped = await log(one, `cursor=${cursor}`)
    expect([dropped.status, dropped.json.error.code]).toEqual([410, 'gone'])
    await makeTable(site.client, 'one')
    const again = await log(one, `cursor=${cursor}`)
    expect([again.status, again.json.error.code]).toEqual([410, 'gone'])
  })

  test('that is damaged anywhere is refused', async () => {
    const path = await makeTable(site.client, 'damaged', { buckets: { count: 3 } })
    const cursor = (await log(path, 'offset=earliest')).headers['sluice-cursor'] as string
    for (let at = 0; at < cursor.length; at++) {
      const broken = `${cursor.slice(0, at)}${cursor[at] === 'A' ? 'B' : 'A'}${cursor.slice(at + 1)}`
      const { status, json } = await log(path, `cursor=${broken}`)
      // the last character has bits that stand for nothing
      if (at === cursor.length - 1 && status === 200) continue
      expect([at, status, json.error.code]).toEqual([at, 400, 'bad-cursor'])
    }
    for (const text of ['', '!', 'A', cursor.slice(0, -4), `${cursor}AAAA`, 'A'.repeat(40_000)]) {
      const { status, json } = await log(path, `cursor=${text}`)
      expect([status, json.error.code]).toEqual([400, 'bad-cursor'])
      expect(json.error.message.length).toBeLessThan(400)
    }
  })

  test('may be repeated with its own bucket and partition, and not with others', async () => {
    const path = await makeTable(site.client, 'repeat', { ...dated, buckets: { count: 3 } })
    await produce(path, [{ id: 1, day: 'mon', hour: 1 }], '?bucket=0&partition=day%3Dmon%2Fhour%3D1')
    const first = 'bucket=0-1&partition=day=mon'
    const { cursor } = await readAll(path, `${first}&offset=earliest`)
    expect((await log(path, `${first}&cursor=${cursor}`)).status).toBe(200)
    expect((await log(path, `bucket=0,1&cursor=${cursor}&offset=0`)).status).toBe(200)
    for (const query of ['bucket=0', 'bucket=1-2', 'partition=day=tue'])
      expect((await log(path, `${query}&cursor=${cursor}`)).json.error.message).toContain('leave it out')
  })
})

describe('a part of the table', () => {
  test('is named by buckets and by the beginning of partitions', async () => {
    const path = await makeTable(site.client, 'parts', { ...dated, buckets: { count: 4 } })
    for (const [bucket, day, hour] of [
      [0, 'a', 1],
      [1, 'a', 1],
      [2, 'a', 10],
      [3, 'b', 1],
    ] as const)
      await produce(path, [{ id: bucket, day, hour }], `?bucket=${bucket}&partition=day%3D${day}%2Fhour%3D${hour}`)
    const ids = async (query: string) => idsOf((await readAll(path, `offset=earliest&${query}`)).rows)
    expect(await ids('bucket=1-2')).toEqual([1, 2])
    expect(await ids('bucket=3,0')).toEqual([0, 3])
    expect(await ids('partition=day=a')).toEqual([0, 1, 2])
    expect(await ids('partition=day=a/hour=1')).toEqual([0, 1])
    expect(await ids('bucket=0-3&partition=day=a/hour=1')).toEqual([0, 1])
    expect(await ids('partition=day=')).toEqual([0, 1, 2, 3])
    expect(await ids('partition=day=c')).toEqual([])
  })

  test.each([
    ['bucket=2', 'bucket'],
    ['bucket=1-0', 'bucket'],
    ['bucket=0-', 'bucket'],
    ['bucket=0,,1', 'bucket'],
    ['bucket=0,0', 'bucket'],
    ['bucket=-1', 'bucket'],
    ['bucket=99999999999999999999', 'bucket'],
    [`bucket=${'0,'.repeat(2_000)}0`, 'bucket'],
    ['partition=x', 'partition'],
    ['offset=7&bucket=0-1', 'offset'],
    ['offset=-1', 'offset'],
    ['offset=@yesterday', 'offset'],
    ['offset=@2026-13-01T00:00:00Z', 'offset'],
    ['offset=@2026-11-21T00:00:00', 'offset'],
    ['columns=', 'columns'],
    ['columns=id,', 'columns'],
    ['columns=id,id', 'columns'],
    ['columns=*,id', 'columns'],
    ['columns=ID', 'columns'],
    ['columns="id', 'columns'],
    ['wait=21s', 'wait'],
    ['wait=soon', 'wait'],
    ['limit=0', 'limit'],
  ])('%s is refused, and the parameter named', async (query, parameter) => {
    const path = '/v1/databases/d/tables/refusing'
    await site.client.put('/v1/databases/d')
    await site.client.put(path, { columns: [{ name: 'id', type: 'bigint' }], buckets: { count: 2 } })
    const { status, json } = await log(path, query.includes('offset') ? query : `offset=earliest&${query}`)
    expect([status, json.error.message]).toEqual([400, expect.stringContaining(parameter)])
    expect(json.error.message.length).toBeLessThan(500)
  })

  test('more than 512 buckets at once are refused, unless the filter rules them out by their partitions', async () => {
    const path = await makeTable(site.client, 'many', { ...dated, buckets: { count: 200 } })
    for (const hour of [1, 2, 3]) await site.client.put(`${path}/partitions/day=mon/hour=${hour}`)
    const { status, json } = await log(path, 'offset=earliest')
    expect([status, json.error.message]).toEqual([400, expect.stringContaining('narrow it with partition=')])
    expect((await log(path, `offset=earliest&where=${encodeURIComponent('hour in (1, 3)')}`)).status).toBe(200)
    expect((await log(path, 'offset=earliest&partition=day=mon/hour=2')).status).toBe(200)
    expect((await log(path, 'offset=earliest&bucket=0-169')).status).toBe(200)
    expect((await log(path, 'offset=earliest&bucket=0-170')).status).toBe(400)
  })

  test('512 cursors of many partitions are short enough for a header', async () => {
    const path = await makeTable(site.client, 'wide', { ...dated, buckets: { count: 256 } })
    for (const hour of [1, 2]) await site.client.put(`${path}/partitions/day=mon/hour=${hour}`)
    const cursor = (await log(path, 'offset=earliest')).headers['sluice-cursor'] as string
    expect(cursor.length).toBeLessThan(8_000)
    expect((await log(path, `cursor=${cursor}`)).status).toBe(200)
  })
})

describe('a time', () => {
  test('begins at the first row at or after it', async () => {
    const path = await makeTable(site.client, 'times')
    const times: string[] = []
    for (let id = 0; id < 30; id++) {
      await produce(path, [{ id }])
      await new Promise((resolve) => setTimeout(resolve, 3))
    }
    for (const row of readLines((await log(path, 'offset=earliest')).text)) times.push(String(row.__timestamp))
    expect(new Set(times).size).toBe(30)
    for (const [id, time] of times.entries()) {
      const rows = readLines((await log(path, `offset=@${time}&limit=1`)).text)
      expect(rows.map((row) => Number(row.id))).toEqual([id])
    }
    expect((await log(path, 'bucket=0&offset=@2000-01-01T00:00:00Z&limit=1')).headers['sluice-start-offset']).toBe('0')
    expect((await log(path, 'bucket=0&offset=@2200-01-01T00:00:00%2B01:00')).headers['sluice-next-offset']).toBe('30')
  })
})

describe('columns', () => {
  let path: string
  beforeAll(async () => {
    const columns = [
      { name: 'a', type: 'int' },
      { name: 'b, "c"', type: 'string' },
      { name: 'd', type: 'array<row<x int, y string>>' },
      { name: 'e', type: 'double' },
    ]
    path = await makeTable(site.client, 'columns', { columns, buckets: { count: 2 } })
    const rows = Array.from({ length: 50 }, (_, a) => ({
      a,
      'b, "c"': a % 7 === 0 ? null : `text ${a}`,
      d: [{ x: a, y: 'y' }],
      e: a / 4,
    }))
    await produce(path, rows.slice(0, 30), '?bucket=0')
    await produce(path, rows.slice(30), '?bucket=1')
  })

  test('come in the order that they are asked for', async () => {
    const quoted = encodeURIComponent('e,"b, ""c""",a')
    const { text } = await log(path, `bucket=0&offset=7&limit=1&columns=${quoted}`)
    expect(Object.keys(JSON.parse(text))).toEqual(['e', 'b, "c"', 'a', '__offset', '__timestamp'])
    const table = tableFromIPC((await log(path, `bucket=0&offset=5&columns=${quoted}`, arrow)).bytes)
    expect(table.schema.fields.map(({ name }) => name)).toEqual(['e', 'b, "c"', 'a'])
    expect([...(table.getChild('a') ?? [])]).toEqual(Array.from({ length: 25 }, (_, i) => i + 5))
    expect(table.getChild('b, "c"')?.get(2)).toBe(null)
  })

  test('may say where rows lie, in Arrow as columns', async () => {
    const table = tableFromIPC(
      (await log(path, `offset=earliest&columns=__bucket,*,__offset,__timestamp,__partition`, arrow)).bytes,
    )
    expect(table.schema.fields.map(({ name, type }) => `${name}: ${type}`)).toEqual([
      '__bucket: Int32',
      'a: Int32',
      'b, "c": Utf8',
      'd: List<Struct<{x:Int32, y:Utf8}>>',
      'e: Float64',
      '__offset: Int64',
      '__timestamp: Timestamp<MILLISECOND, UTC>',
      '__partition: Utf8',
    ])
    expect([...(table.getChild('__offset') ?? [])].map(Number)).toEqual([
      ...Array.from({ length: 30 }, (_, i) => i),
      ...Array.from({ length: 20 }, (_, i) => i),
    ])
    expect(table.getChild('__partition')?.get(0)).toBe('')
  })

  test('may be none of the table', async () => {
    const table = tableFromIPC((await log(path, 'bucket=1&offset=18&columns=__offset', arrow)).bytes)
    expect([...(table.getChild('__offset') ?? [])].map(Number)).toEqual([18, 19])
    expect(Object.keys(JSON.parse((await log(path, 'bucket=1&offset=19&columns=__offset')).text))).toEqual([
      '__offset',
      '__timestamp',
    ])
  })

  test('unknown ones are named, with the nearest', async () => {
    const { json } = await log(path, 'bucket=0&offset=0&columns=a,__ofset')
    expect(json.error.message).toContain('did you mean "__offset"?')
  })
})

describe('where', () => {
  let path: string
  beforeAll(async () => {
    path = await makeTable(site.client, 'where', { buckets: { count: 2 } })
    for (let i = 0; i < 20; i++) await produce(path, [{ id: 2 * i, text: `t${i}` }, { id: 2 * i + 1 }], `?bucket=${i % 2}`)
  })
  const where = (filter: string, more = '', headers = {}) =>
    log(path, `${more.includes('offset') ? '' : 'offset=earliest&'}where=${encodeURIComponent(filter)}${more}`, headers)

  test.each([
    ['id >= 36', [36, 37, 38, 39]],
    ["id = 7 or text = 't4'", [7, 8]],
    ['text is null and id < 6', [1, 3, 5]],
    ["not (text <> 't0')", [0]],
    ['__offset = 2 and __bucket = 1', [6]],
    ['id in (1, 2, 100)', [1, 2]],
    ['id > 1000', []],
  ])('%s', async (filter, expected) => {
    expect(idsOf(readLines((await where(filter)).text))).toEqual(expected)
    const table = tableFromIPC((await where(filter, '&columns=id', arrow)).bytes)
    expect([...(table.getChild('id') ?? [])].map(Number).sort((a, b) => a - b)).toEqual(expected)
    expect(table.schema.fields.map(({ name }) => name)).toEqual(['id', '__offset', '__timestamp', '__partition', '__bucket'])
  })

  test('moves the reader past what it left out, and picked rows keep their offsets', async () => {
    const one = await where('id = 13', '&bucket=0&offset=0')
    expect([one.headers['sluice-rows'], one.headers['sluice-next-offset']]).toEqual(['1', '20'])
    expect(readLines(one.text)[0]).toMatchObject({ id: '13', __offset: '7' })
    const none = await where('id = 1000', '&bucket=0&offset=0')
    expect([none.text, none.headers['sluice-next-offset']]).toEqual(['', '20'])
    const two = await where('text is null', '&bucket=0&offset=0&limit=2')
    expect(readLines(two.text).map(({ __offset }) => __offset)).toEqual(['1', '3'])
    expect(two.headers['sluice-next-offset']).toBe('4')
  })

  test.each([
    'id =',
    'nope = 1',
    "id = 'x'",
    'text like',
    `${'('.repeat(20)}id = 1${')'.repeat(20)}`,
    `id = ${'1'.repeat(5_000)}`,
  ])('%s is refused, and the place named', async (filter) => {
    const { status, json } = await where(filter)
    expect([status, json.error.code]).toEqual([400, 'invalid-filter'])
    expect(json.error.facts.position).toBeGreaterThan(0)
  })

  test('more than 64 tests are refused', async () => {
    expect((await where(Array.from({ length: 64 }, (_, i) => `id = ${i}`).join(' or '))).status).toBe(200)
    expect((await where(Array.from({ length: 65 }, (_, i) => `id = ${i}`).join(' or '))).status).toBe(400)
  })
})
