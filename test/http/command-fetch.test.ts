/** `sluice fetch`: a table to its end in three formats, and on and on. */
import { tableFromIPC } from 'apache-arrow'
import { beforeAll, expect, test } from 'vitest'
import { fitWidths, textTable } from '../../cli/fetch/text-table.ts'
import { diskSite, lines, makeTable, ndjson, readLines, type Site, siteOfFile } from './harness.ts'
import { sluice } from './sluice.ts'

const site = await siteOfFile()
beforeAll(async () => {
  await makeTable(site.client, 'refuses')
})

const at = () => ({ url: site.running.url })
const rowsOf = (count: number, first = 0) =>
  Array.from({ length: count }, (_, i) => ({ id: String(first + i), text: `row ${first + i}` }))

async function fill(name: string, rows: readonly object[], more: object = {}): Promise<void> {
  const path = await makeTable(site.client, name, more)
  const { status, text } = await site.client.send('POST', `${path}/records`, { body: lines(rows), headers: ndjson })
  if (status !== 200) throw new Error(text)
}

test('a table comes whole over many pages and buckets, as NDJSON where there is no terminal', async () => {
  await fill('many', rowsOf(25_000), { buckets: { count: 3, key: ['id'] } })
  const { status, out, err } = await sluice(at(), 'fetch', 'd.many').ended
  expect([status, err]).toEqual([0, ''])
  const ids = new Set(readLines(out).map(({ id }) => id))
  expect(ids.size).toBe(25_000)
})

test('many pages of Arrow are one stream with one schema and one end', async () => {
  const path = await makeTable(site.client, 'arrow', { buckets: { count: 2 } })
  for (let i = 0; i < 4; i++) {
    const rows = Array.from({ length: 4_000 }, (_, j) => ({ id: i * 4_000 + j, text: 'x'.repeat(500) }))
    expect((await site.client.send('POST', `${path}/records`, { body: lines(rows), headers: ndjson })).status).toBe(200)
  }
  const { status, bytes } = await sluice(at(), 'fetch', 'd.arrow', '--format', 'arrow').ended
  expect(status).toBe(0)
  expect(bytes.length).toBeGreaterThan(8_000_000)
  const table = tableFromIPC(bytes)
  expect(new Set(table.getChild('id')?.toArray() as bigint[]).size).toBe(16_000)
  expect(bytes.indexOf(Buffer.from([255, 255, 255, 255, 0, 0, 0, 0]))).toBe(bytes.length - 8)
})

test('an empty table is an empty Arrow stream, and no line at all', async () => {
  await makeTable(site.client, 'empty')
  const arrow = await sluice(at(), 'fetch', 'd.empty', '--format', 'arrow').ended
  expect(tableFromIPC(arrow.bytes).schema.fields.map(({ name }) => name)).toEqual(['id', 'text'])
  expect(await sluice(at(), 'fetch', 'd.empty').ended).toMatchObject({ status: 0, out: '' })
})

test('columns, a filter, a bucket, a place and a limit narrow it', async () => {
  await fill('narrow', rowsOf(3_000))
  const rows = async (...args: string[]) => readLines((await sluice(at(), 'fetch', 'd.narrow', ...args).ended).out)
  expect(await rows('--where', 'id >= 2998', '--columns', 'id')).toMatchObject([{ id: '2998' }, { id: '2999' }])
  expect(await rows('--bucket', '0', '--from', '2997', '--limit', '2')).toMatchObject([{ id: '2997' }, { id: '2998' }])
  expect(await rows('--from', 'latest')).toEqual([])
  expect(await rows('--from', '@2001-01-01T00:00:00Z', '--limit', '1')).toMatchObject([{ id: '0' }])
})

test('as a table it fits the width, with numbers on the right', async () => {
  await fill('wide', [
    { id: 7, text: 'short' },
    { id: 1234, text: `two\nlines and ${'more '.repeat(20)}` },
  ])
  const { out } = await sluice({ ...at(), env: { COLUMNS: '30' } }, 'fetch', 'd.wide', '--format', 'table').ended
  expect(out.split('\n')).toEqual([
    '  id  text',
    '────  ────────────────────────',
    '   7  short',
    '1234  two\\nlines and more mor…',
    '',
  ])
})

test('wide letters take two cells, marks none, and escapes of the terminal are shown', () => {
  const print = textTable(
    [
      { name: 'a', isNumber: false },
      { name: 'b', isNumber: true },
    ],
    12,
  )
  expect(
    print([
      { a: '日本語日本語', b: 1 },
      { a: 'e\u0301', b: null },
      { a: '\u001b[2J', b: 22 },
    ]).split('\n'),
  ).toEqual(['a          b', '────────  ──', '日本語…    1', 'e\u0301', '\\u001b[…  22', ''])
})

test.each([
  [[4, 5], 80, [4, 5]],
  [[10, 100], 30, [10, 18]],
  [[100, 100, 100], 10, [4, 4]],
  [[300], 200, [80]],
])('columns that need %j get at most %i in all', (needed, width, widths) => {
  expect(fitWidths(needed, width)).toEqual(widths)
})

test.each([
  [['--format', 'xml'], 2, 'table, ndjson, arrow'],
  [['--limit', '0'], 2, '--limit must be'],
  [['--from', '3'], 2, 'say which with --bucket'],
  [['--where', 'nothing = 1'], 1, 'nothing'],
])('fetch %j ends with %i', async (args, status, message) => {
  expect(await sluice(at(), 'fetch', 'd.refuses', ...args).ended).toMatchObject({ status, err: expect.stringContaining(message) })
})

test('a follower gets what comes, outlives a restart of the server and ends at Ctrl-C with a whole stream', async () => {
  const disk = await diskSite()
  const path = await makeTable(disk.client, 'followed')
  const produce = (client: Site['client'], row: object) =>
    client.send('POST', `${path}/records`, { body: lines([row]), headers: ndjson })
  await produce(disk.client, { id: 1, text: 'before' })
  const { port, url } = disk.running
  const follower = sluice({ url }, 'fetch', 'd.followed', '--follow')
  await expect.poll(follower.out).toContain('before')
  await produce(disk.client, { id: 2, text: 'while' })
  await expect.poll(follower.out).toContain('while')
  disk.client.close()
  await disk.running.stop()
  await expect.poll(follower.err, { timeout: 15_000 }).toContain('Ctrl-C ends')
  const again = await disk.reopen(port)
  await produce(again.client, { id: 3, text: 'after' })
  await expect.poll(follower.out, { timeout: 15_000 }).toContain('after')
  follower.child.kill('SIGINT')
  const { status, out, err } = await follower.ended
  expect([status, err]).toEqual([0, expect.stringContaining('the server is back')])
  expect(readLines(out).map(({ id }) => id)).toEqual(['1', '2', '3'])
  await again.close()
  await disk.close()
})

test('rows that are fetched can be produced into another table', async () => {
  await fill('source', rowsOf(2_500))
  await makeTable(site.client, 'copy')
  for (const format of ['ndjson', 'arrow']) {
    const { bytes } = await sluice(at(), 'fetch', 'd.source', '--format', format).ended
    const produced = await sluice({ ...at(), input: bytes }, 'produce', 'd.copy', '--format', format).ended
    expect(produced).toMatchObject({ status: 0 })
  }
  const { out } = await sluice(at(), 'fetch', 'd.copy').ended
  expect(readLines(out).map(({ id }) => Number(id))).toEqual([...rowsOf(2_500), ...rowsOf(2_500)].map(({ id }) => Number(id)))
})
