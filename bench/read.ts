/**
 * Reading over HTTP: a whole table against a bare Node server that sends the same bytes, and parts of a table (columns, a partition,
 * a filter) against the whole of it. Every measurement has a server of its own over data that was written before, and reads another
 * table first: code is warm, caches are not; the system's file cache is warm for all. "storage bytes": what the server read from its object store.
 */
import { createWriteStream } from 'node:fs'
import { call } from './api.ts'
import type { BenchOptions } from './append.ts'
import { arrowBody, dayBody, media, wideBody } from './bodies.ts'
import { runScript, type Server, startPages, startSluice } from './children.ts'
import { alternate, type Case, type Measured, type Report } from './harness.ts'
import type { PagesSpec } from './pages.ts'
import type { ReadResult, ReadSpec } from './read-child.ts'
import { type Scratch, withScratch } from './scratch.ts'

const tablePath = '/v1/databases/bench/tables/read'
const logPath = `${tablePath}/log`
const warmTablePath = '/v1/databases/bench/tables/warm'
const warmPath = `${warmTablePath}/log`
/** Appends that go to both tables. */
const warmAppends = 200
const wholePage = '&limit=1000000'

interface Column {
  readonly name: string
  readonly type: string
}

async function createTable(port: number, columns: readonly Column[], more: object = {}): Promise<void> {
  await call(port, 'PUT', '/v1/databases/bench')
  for (const path of [tablePath, warmTablePath]) await call(port, 'PUT', path, JSON.stringify({ columns, ...more }))
}

/** The `i`th of the appends. */
async function append(port: number, i: number, body: Uint8Array): Promise<void> {
  if (i < warmAppends) await call(port, 'POST', `${warmTablePath}/records`, body, media.arrow)
  await call(port, 'POST', `${tablePath}/records`, body, media.arrow)
}

async function withServer<T>(server: Server, work: (port: number) => Promise<T>): Promise<T> {
  try {
    return await work(server.port)
  } finally {
    await server.stop()
  }
}

/** Rows a second, and what was moved. */
async function read(
  folder: string,
  first: string,
  more = wholePage,
  times = 1,
): Promise<Measured & { readonly result: ReadResult }> {
  return withServer(await startSluice(folder), async (port) => {
    const spec: ReadSpec = { port, path: logPath, warmPath, first, more, accept: media.arrow, times }
    const result = await runScript<ReadResult>('read-child.ts', spec)
    const figures = {
      'MB/s': result.bytes / result.seconds / 1e6,
      'body MB': result.bytes / times / 1e6,
      'storage MB': result.storageBytes / times / 1e6,
      pages: result.pages / times,
    }
    return { value: result.rows / result.seconds, figures, result }
  })
}

/** 192 MiB in one bucket, as 1 MiB appends. */
export function fetch({ rounds, progress }: BenchOptions): Promise<readonly Report[]> {
  return withScratch(async (scratch) => {
    const folder = scratch.folder()
    const rows = 27_000
    await withServer(await startSluice(folder), async (port) => {
      await createTable(port, [
        { name: 'id', type: 'bigint' },
        { name: 'name', type: 'string' },
        { name: 'value', type: 'double' },
        { name: 'at', type: 'timestamp(6)' },
      ])
      for (let i = 0; i < 192; i++) {
        progress(`fetch: writing ${i + 1} of 192 MiB`)
        await append(port, i, arrowBody(rows, i * rows).bytes)
      }
    })
    const pages = await withServer(await startSluice(folder), (port) => savePages(port, scratch))
    const onFloor = async (): Promise<Measured> =>
      withServer(await startPages(pages), async (port) => {
        const spec: ReadSpec = { port, path: '/', warmPath: '/warm', first: 'cursor=0', more: '', accept: media.arrow, times: 2 }
        const result = await runScript<ReadResult>('read-child.ts', spec)
        return { value: result.bytes / result.seconds / 1e6, figures: { pages: result.pages / 2 } }
      })
    const onSluice = async (): Promise<Measured> => {
      const { result, figures } = await read(folder, 'bucket=0&offset=earliest', wholePage, 2)
      return { value: result.bytes / result.seconds / 1e6, figures: { pages: figures?.pages ?? 0 } }
    }
    const report = await alternate({
      bench: 'fetch, Arrow, 192 MiB of one bucket, one reader',
      unit: 'MB/s',
      rounds,
      progress,
      cases: [
        { name: 'bare Node, the same pages from a file', run: onFloor },
        { name: 'sluice', floor: 'bare Node, the same pages from a file', aim: { ratio: 0.6 }, run: onSluice },
      ],
      notes: ['pages of at most 4 MiB, each from the cursor of the one before; server and reader share the cores'],
    })
    return [report]
  })
}

async function savePages(port: number, scratch: Scratch): Promise<PagesSpec> {
  const file = `${scratch.folder()}/pages`
  const to = createWriteStream(file)
  const pages: PagesSpec['pages'][number][] = []
  let start = 0
  for (let query = 'bucket=0&offset=earliest'; ; ) {
    const answer = await globalThis.fetch(`http://127.0.0.1:${port}${logPath}?${query}${wholePage}`, {
      headers: { accept: media.arrow, 'accept-encoding': 'identity' },
    })
    const body = new Uint8Array(await answer.arrayBuffer())
    const rows = Number(answer.headers.get('sluice-rows'))
    if (rows === 0) break
    to.write(body)
    pages.push({ start, bytes: body.length, rows })
    start += body.length
    query = `cursor=${answer.headers.get('sluice-cursor')}`
  }
  await new Promise<void>((resolve) => to.end(resolve))
  return { file, pages }
}

/** About a MiB each: enough that the first steps of a new process do not decide. */
const appends = 400

/** Parts against the whole: a case's ratio is of rows a second, or of reads a second where rows differ. */
interface Part {
  readonly name: string
  readonly first: string
  readonly more?: string
  readonly ratio: number
  /** Of the whole's bytes. */
  readonly most: Readonly<Record<string, number>>
}

async function parts(
  folder: string,
  { bench, unit, rounds, progress }: { bench: string; unit: 'rows/s' | 'reads/s' } & BenchOptions,
  all: readonly Part[],
): Promise<Report> {
  let whole: ReadResult | undefined
  let wholeStorage = 0
  const figureOf = (measured: Measured & { readonly result: ReadResult }): number =>
    unit === 'rows/s' ? measured.value : 1 / measured.result.seconds
  const wholeCase: Case = {
    name: 'whole',
    run: async () => {
      const measured = await read(folder, 'offset=earliest')
      whole = measured.result
      wholeStorage = measured.figures?.['storage MB'] ?? 0
      return { value: figureOf(measured), figures: measured.figures ?? {} }
    },
  }
  await wholeCase.run()
  const cases = all.map(
    ({ name, first, more, ratio, most }): Case => ({
      name,
      floor: 'whole',
      aim: { ratio, most },
      run: async () => {
        const measured = await read(folder, first, `${more ?? ''}${wholePage}`)
        const share = {
          'body %': (100 * measured.result.bytes) / (whole?.bytes ?? 0),
          'storage %': (100 * (measured.figures?.['storage MB'] ?? 0)) / wholeStorage,
        }
        return { value: figureOf(measured), figures: { ...measured.figures, ...share } }
      },
    }),
  )
  return alternate({
    bench,
    unit,
    rounds,
    progress,
    cases: [wholeCase, ...cases],
    notes: ['"body %" and "storage %": bytes sent to the reader and read from the object store, of those for the whole'],
  })
}

/** 20 columns, of which 1 and 5 are asked for. */
export function prune(options: BenchOptions): Promise<readonly Report[]> {
  return withScratch(async (scratch) => {
    const folder = scratch.folder()
    const columns = Array.from({ length: 20 }, (_, i) => ({ name: `c${i}`, type: i % 2 === 0 ? 'bigint' : 'double' }))
    await withServer(await startSluice(folder), async (port) => {
      await createTable(port, columns)
      for (let i = 0; i < appends; i++) {
        options.progress(`prune: writing ${i + 1} of ${appends} MiB`)
        await append(port, i, wideBody(6_500, i * 6_500))
      }
    })
    const report = await parts(folder, { ...options, bench: 'prune, Arrow, 20 columns of 8 bytes', unit: 'rows/s' }, [
      { name: '1 column asked', first: 'offset=earliest', more: '&columns=c7', ratio: 8, most: { 'body %': 8, 'storage %': 8 } },
      { name: '5 columns asked', first: 'offset=earliest', more: '&columns=c1,c4,c9,c14,c19', ratio: 3, most: {} },
    ])
    return [report]
  })
}

/** 20 partitions, of which one is read, by its name and by a filter. */
export function partitions(options: BenchOptions): Promise<readonly Report[]> {
  return withScratch(async (scratch) => {
    const folder = scratch.folder()
    await withServer(await startSluice(folder), async (port) => {
      await createTable(
        port,
        [
          { name: 'day', type: 'int' },
          { name: 'id', type: 'bigint' },
          { name: 'value', type: 'double' },
        ],
        { partitionBy: ['day'] },
      )
      for (let i = 0; i < appends; i++) {
        options.progress(`partitions: writing ${i + 1} of ${appends} MiB`)
        await append(port, i, dayBody(i % 20, 48_000, i * 48_000))
      }
    })
    const most = { 'body %': 6, 'storage %': 6 }
    const report = await parts(folder, { ...options, bench: 'partitions, Arrow, 1 of 20', unit: 'reads/s' }, [
      { name: 'partition=day=7', first: 'offset=earliest&partition=day%3D7', ratio: 8, most },
      // with a filter rows say where they lie, in columns
      {
        name: 'where=day = 7',
        first: 'offset=earliest',
        more: '&where=day%20%3D%207&columns=value',
        ratio: 8,
        most: { 'storage %': 6 },
      },
    ])
    return [report]
  })
}

/** 400 batches, of which four match. */
export function filter(options: BenchOptions): Promise<readonly Report[]> {
  return withScratch(async (scratch) => {
    const folder = scratch.folder()
    const rows = 27_000
    await withServer(await startSluice(folder), async (port) => {
      await createTable(port, [
        { name: 'id', type: 'bigint' },
        { name: 'name', type: 'string' },
        { name: 'value', type: 'double' },
        { name: 'at', type: 'timestamp(6)' },
      ])
      for (let i = 0; i < appends; i++) {
        options.progress(`filter: writing ${i + 1} of ${appends} MiB`)
        await append(port, i, arrowBody(rows, i * rows).bytes)
      }
    })
    const where = encodeURIComponent(`id between ${280 * rows} and ${284 * rows - 1}`)
    const report = await parts(folder, { ...options, bench: 'filter, Arrow, 4 of 400 batches match', unit: 'reads/s' }, [
      {
        name: `where=${decodeURIComponent(where)}`,
        first: 'offset=earliest',
        more: `&where=${where}`,
        ratio: 8,
        most: { 'storage %': 3 },
      },
    ])
    return [report]
  })
}
