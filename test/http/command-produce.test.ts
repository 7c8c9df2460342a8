/** `sluice produce`: four formats, in requests that are sent again without doubling. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { RecordBatchFileWriter, tableFromArrays, tableToIPC } from 'apache-arrow'
import type { FileMetaData } from 'hyparquet'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { columnsOf } from '../../cli/parquet/types.ts'
import { bodyBytesMax, lineBodies } from '../../cli/produce/bodies.ts'
import { inlineParquet } from '../../stores/parquet/inline.ts'
import { lines, makeTable, memorySite, readLines, type Site } from './harness.ts'
import { sluice } from './sluice.ts'

let site: Site
let directory: string
beforeAll(async () => {
  site = await memorySite()
  directory = await mkdtemp(join(tmpdir(), 'sluice-produce-'))
})
afterAll(async () => {
  await site.close()
  await rm(directory, { recursive: true, force: true })
})

const run = (input: string | Uint8Array, ...args: string[]) => sluice({ url: site.running.url, input }, ...args).ended
const column = (name: string, type: string) => ({ name, type })

async function written(name: string, content: string | Uint8Array): Promise<string> {
  await writeFile(join(directory, name), content)
  return join(directory, name)
}

async function rowsOf(table: string): Promise<Record<string, unknown>[]> {
  const rows = readLines((await run('', 'fetch', `d.${table}`)).out)
  return rows.map((row) => Object.fromEntries(Object.entries(row).filter(([name]) => !name.startsWith('__'))))
}

test('lines from standard input go in requests of at most 1 MiB, and the end says how many rows', async () => {
  await makeTable(site.client, 'lines')
  const rows = Array.from({ length: 5_000 }, (_, id) => ({ id: String(id), text: 'x'.repeat(500) }))
  const { status, out } = await run(lines(rows), 'produce', 'd.lines', '--json')
  expect([status, JSON.parse(out)]).toMatchObject([0, { rows: 5_000, requests: 3 }])
  expect(await rowsOf('lines')).toEqual(rows)
  expect((await run('{"id":1}\n\n{"id":2}', 'produce', 'd.lines')).out).toMatch(/^produced 2 rows, 18 B in [0-9.]+ s\n$/)
})

test('bodies are cut between lines, and count the lines before them', async () => {
  const line = `${'y'.repeat(399_999)}\n`
  const pieces = line.repeat(7).match(/[\s\S]{1,65536}/g) ?? []
  const bodies = []
  for await (const body of lineBodies(
    (async function* () {
      yield* pieces
    })(),
  ))
    bodies.push(body)
  expect(bodies.map(({ bytes, rows, firstLine }) => [bytes.length, rows, firstLine])).toEqual([
    [800_000, 2, 1],
    [800_000, 2, 3],
    [800_000, 2, 5],
    [400_000, 1, 7],
  ])
  expect(bodies.every(({ bytes }) => bytes.length <= bodyBytesMax)).toBe(true)
})

test('CSV takes its values from the types of the columns', async () => {
  const columns = [
    column('i', 'int'),
    column('d', 'double'),
    column('n', 'decimal(20,2)'),
    column('b', 'boolean'),
    column('s', 'string'),
    column('at', 'timestamp(3)'),
    column('tags', 'array<string>'),
  ]
  await makeTable(site.client, 'csv', { columns })
  const text = [
    '\ufeffs,i,d,n,b,at,tags,__offset',
    '"a ""quoted"", text",1,NaN,123456789012345678.90,TRUE,2026-11-21 09:30:00.5,"[""x"",""y""]",9',
    '"two\nlines",,,,,,,',
    '"",2,1e3,,false,2026-11-21T09:30:00,,',
  ]
  expect(await run('', 'produce', 'd.csv', await written('rows.csv', text.join('\r\n')))).toMatchObject({ status: 0, err: '' })
  expect(await rowsOf('csv')).toEqual([
    {
      i: 1,
      d: 'NaN',
      n: '123456789012345678.90',
      b: true,
      s: 'a "quoted", text',
      at: '2026-11-21T09:30:00.500',
      tags: ['x', 'y'],
    },
    { i: null, d: null, n: null, b: null, s: 'two\nlines', at: null, tags: null },
    { i: 2, d: 1000, n: null, b: false, s: '', at: '2026-11-21T09:30:00.000', tags: null },
  ])
})

test.each([
  ['x,y\n1,2\n', 'no column "x"'],
  ['id,text\n1,a\n1,b,c\n', 'line 3'],
  ['id,text\n"1,a\n', 'CSV is broken'],
])('CSV like %j is refused', async (text, message) => {
  await site.client.put('/v1/databases/d')
  await site.client.put('/v1/databases/d/tables/refuses', { columns: [column('id', 'int'), column('text', 'string')] })
  const refused = await run(text, 'produce', 'd.refuses', '--format', 'csv')
  expect(refused).toMatchObject({ status: 1, err: expect.stringContaining(message) })
})

test('CSV says what its rows ask of a keyed table', async () => {
  await makeTable(site.client, 'ops', {
    columns: [
      { name: 'k', type: 'int' },
      { name: 'n', type: 'int' },
    ],
    primaryKey: ['k'],
  })
  expect(await run('k,n,__op\n1,7,\n2,8,+U\n', 'produce', 'd.ops', '--format', 'csv')).toMatchObject({ status: 0 })
  expect(await run('k,n,__op\n1,,D\n', 'produce', 'd.ops', '--format', 'csv')).toMatchObject({ status: 0 })
  const found = await site.client.send('POST', '/v1/databases/d/tables/ops/lookup', { json: { keys: [{ k: 1 }, { k: 2 }] } })
  expect(found.json.rows).toEqual([null, { k: 2, n: 8 }])
})

test('a cell of another type is refused with its line', async () => {
  await makeTable(site.client, 'cells', { columns: [column('id', 'int')] })
  const { status, err } = await run('id\n1\nx\n', 'produce', 'd.cells', '--format', 'csv')
  expect([status, err]).toEqual([1, 'line 3: "x" is no int, the type of column id\n'])
})

test('Arrow comes as a stream and as a file, large batches in halves', async () => {
  await makeTable(site.client, 'arrow', { columns: [column('id', 'int'), column('text', 'string')] })
  const count = 30_000
  const table = tableFromArrays({
    id: Int32Array.from({ length: count }, (_, i) => i),
    text: Array.from({ length: count }, (_, i) => `${i} ${'z'.repeat(90)}`),
  })
  const stream = await written('rows.arrows', tableToIPC(table, 'stream'))
  const file = await written('rows.arrow', await RecordBatchFileWriter.writeAll(table).toUint8Array())
  for (const path of [stream, file]) {
    const { status, out, err } = await run('', 'produce', 'd.arrow', path, '--json')
    expect([status, err, JSON.parse(out || '{}').rows]).toEqual([0, '', count])
  }
  const rows = await rowsOf('arrow')
  expect(rows.length).toBe(2 * count)
  expect(rows[count + 12_345]).toEqual({ id: 12_345, text: `12345 ${'z'.repeat(90)}` })
})

test('a Parquet file makes a table and fills it, every digit', async () => {
  const path = await written('rows.parquet', new Uint8Array(parquetWriteBuffer({ columnData: parquetData, rowGroupSize: 2 })))
  expect(await run('', 'table', 'create', 'd.parquet', '--from', path)).toMatchObject({ status: 0, err: '' })
  const { columns } = (await site.client.get('/v1/databases/d/tables/parquet')).json
  expect(columns.map(({ name, type }: { name: string; type: string }) => `${name} ${type}`)).toEqual([
    'i int',
    'l bigint',
    'f double',
    'b boolean',
    's string',
    'at timestamp_ltz(3)',
  ])
  expect(await run('', 'produce', 'd.parquet', path)).toMatchObject({ status: 0, err: '' })
  expect(await rowsOf('parquet')).toEqual([
    { i: 1, l: '9007199254740993', f: 0.1, b: true, s: 'a', at: '2026-11-21T09:30:00.123Z' },
    { i: -2, l: '-1', f: 'NaN', b: false, s: 'é', at: '1969-12-31T23:59:59.999Z' },
    { i: 3, l: null, f: 1e300, b: true, s: null, at: '1970-01-01T00:00:00.000Z' },
  ])
})

test('what nests and what is exact comes through Parquet and Arrow as it was', async () => {
  const columns = [
    column('n', 'decimal(38,3)'),
    column('small', 'decimal(9,2)'),
    column('d', 'date'),
    column('t', 'time(6)'),
    column('at', 'timestamp(9)'),
    column('raw', 'binary'),
    column('tiny', 'tinyint'),
    column('list', 'array<array<int>>'),
    column('entries', 'map<string,bigint>'),
    column('counts', 'map<int,double>'),
    column('place', 'row<city string, marks array<decimal(5,1)>>'),
  ]
  await makeTable(site.client, 'nested', { columns })
  const full = {
    ...{ n: '-12345678901234567890123456789012345.678', small: '-0.01', d: '1969-12-31', t: '09:30:00.000001' },
    ...{ at: '1969-12-31T23:59:59.999999999', raw: 'AP8=', tiny: -128, list: [[1, null], [], null] },
    ...{ entries: [['a', '9007199254740993']], counts: [[7, 0.5]], place: { city: 'Zürich', marks: ['5.5', null] } },
  }
  const rows = [
    full,
    Object.fromEntries(columns.map(({ name }) => [name, null])),
    { ...full, list: [], entries: [], place: { city: null, marks: [] } },
  ]
  expect(await run(lines(rows), 'produce', 'd.nested')).toMatchObject({ status: 0, err: '' })
  const { bytes } = await run('', 'fetch', 'd.nested', '--format', 'arrow')
  const path = await written('nested.parquet', await inlineParquet().write(bytes, { dictionaryColumns: ['raw'] }))
  expect(await run('', 'table', 'create', 'd.nested2', '--from', path)).toMatchObject({ status: 0, err: '' })
  expect(await run('', 'produce', 'd.nested2', path)).toMatchObject({ status: 0, err: '' })
  const types = async (name: string) =>
    (await site.client.get(`/v1/databases/d/tables/${name}`)).json.columns.map(({ type }: { type: string }) => type)
  expect(await types('nested2')).toEqual(await types('nested'))
  expect(await rowsOf('nested2')).toEqual(await rowsOf('nested'))
  await makeTable(site.client, 'nested3', { columns })
  expect(await run(bytes, 'produce', 'd.nested3', '--format', 'arrow')).toMatchObject({ status: 0, err: '' })
  expect(await rowsOf('nested3')).toEqual(await rowsOf('nested'))
}, 60_000)

test('a Parquet column without a type here is named', () => {
  const interval = { name: 'pause', type: 'FIXED_LEN_BYTE_ARRAY', type_length: 12, converted_type: 'INTERVAL' } as const
  const schema = [{ name: 'root', num_children: 1 }, interval]
  expect(() => columnsOf({ schema } as unknown as FileMetaData)).toThrow('column "pause" is INTERVAL, which has no type here')
})

const parquetData = [
  { name: 'i', data: [1, -2, 3], type: 'INT32' as const },
  { name: 'l', data: [9007199254740993n, -1n, null], type: 'INT64' as const },
  { name: 'f', data: [0.1, Number.NaN, 1e300], type: 'DOUBLE' as const },
  { name: 'b', data: [true, false, true], type: 'BOOLEAN' as const },
  { name: 's', data: ['a', 'é', null], type: 'STRING' as const },
  {
    name: 'at',
    data: ['2026-11-21T09:30:00.123Z', '1969-12-31T23:59:59.999Z', '1970-01-01'].map((text) => new Date(text)),
    type: 'TIMESTAMP' as const,
  },
]

test('a request whose answer is lost is sent again and not taken twice', async () => {
  const path = await makeTable(site.client, 'lossy')
  let lost = 0
  const proxy = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const headers = Object.fromEntries(
      Object.entries(request.headers).filter(([name]) => /^(content-type|producer-)/.test(name)),
    ) as Record<string, string>
    const answer = await fetch(`${site.running.url}${request.url}`, { method: 'POST', headers, body: Buffer.concat(chunks) })
    if (headers['producer-seq'] === '1' && lost++ === 0) response.destroy()
    else response.writeHead(answer.status, { 'Content-Type': 'application/json' }).end(await answer.text())
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const rows = Array.from({ length: 3_000 }, (_, id) => ({ id: String(id), text: 'x'.repeat(900) }))
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
  const { status, out } = await sluice({ url, input: lines(rows) }, 'produce', 'd.lossy', '--json').ended
  proxy.close()
  expect([status, lost, JSON.parse(out).rows]).toEqual([0, 2, 3_000])
  expect((await site.client.get(`${path}/offsets`)).json.buckets).toMatchObject([{ end: '3000' }])
})

const hasScript = spawnSync('script', ['--version']).status === 0
if (!hasScript) console.error('SKIPPED: there is no script(1) here, so what a terminal shows of a command is not shown')

test.skipIf(!hasScript)('whoever watches a terminal sees how far it is, then the sum in its place', async () => {
  const slow = createServer(async (request, response) => {
    for await (const _ of request);
    setTimeout(() => response.end('{}'), 250)
  })
  await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(slow.address() as AddressInfo).port}`
  const rows = Array.from({ length: 2_000 }, (_, id) => ({ id: String(id), text: 'x'.repeat(900) }))
  const file = await written('watched.ndjson', lines(rows))
  const main = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))
  const command = [process.execPath, main, 'produce', 'd.watched', file].map((word) => `'${word}'`).join(' ')
  const terminal = spawn('script', ['-qec', command, '/dev/null'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, SLUICE_URL: url },
  })
  const shown: Buffer[] = []
  terminal.stdout.on('data', (chunk: Buffer) => shown.push(chunk))
  expect(await new Promise((resolve) => terminal.on('close', resolve))).toBe(0)
  slow.close()
  const [before, ...lineTexts] = Buffer.concat(shown).toString().split('\r\x1b[K')
  expect([before, lineTexts.length]).toEqual(['', 3])
  expect(lineTexts[0]).toMatch(/^1,\d{3} rows, 1\.\d MB in [0-9.]+ s$/)
  expect(lineTexts[1]).toMatch(/^2,000 rows, 1\.\d MB in [0-9.]+ s$/)
  expect(lineTexts[2]).toMatch(/^produced 2,000 rows, 1\.\d MB in [0-9.]+ s\r\n$/)
})

test.each([
  [['produce', 'd.refused', '--format', 'xml'], 2, 'ndjson, csv, arrow, parquet'],
  [['produce', 'd.refused', '--format', 'parquet'], 2, 'name it as a file'],
  [['produce', 'd.refused', '--format', 'arrow'], 1, 'not Arrow'],
])('%j ends with %i', async (args, status, message) => {
  expect(await run('nonsense that is long enough', ...args)).toMatchObject({ status, err: expect.stringContaining(message) })
})

test('the line of an error is that of the input, and what is there already is said', async () => {
  await makeTable(site.client, 'faulty')
  const good = lines(Array.from({ length: 3_000 }, (_, id) => ({ id: String(id), text: 'x'.repeat(900) })))
  const { status, err } = await run(`${good}{"id":"x"}\n`, 'produce', 'd.faulty')
  expect([status, err]).toEqual([
    1,
    expect.stringMatching(/its lines count from line [0-9]+ of the input\n[0-9,]+ rows before it are in the table/),
  ])
})
