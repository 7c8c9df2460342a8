/**
 * `sluice produce`: rows of a file or of standard input, in requests of at most 1 MiB. One producer with a sequence, so a request that
 * is sent again is not taken twice; what dies in the middle leaves the rows that it said.
 */
import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { access } from 'node:fs/promises'
import { extname } from 'node:path'
import { Failure } from '../failure.ts'
import { call, type Remote } from '../http.ts'
import { arrowBodies, type Body, joinLines, lineBodies } from './bodies.ts'

export interface ProduceFlags extends Remote {
  readonly format?: Format
  readonly op?: string
  readonly columns?: string
  readonly json?: boolean
}

export const produceFormats = ['ndjson', 'csv', 'arrow', 'parquet'] as const
type Format = (typeof produceFormats)[number]

const formatOfExtension: ReadonlyMap<string, Format> = new Map([
  ['.ndjson', 'ndjson'],
  ['.jsonl', 'ndjson'],
  ['.json', 'ndjson'],
  ['.csv', 'csv'],
  ['.arrow', 'arrow'],
  ['.arrows', 'arrow'],
  ['.parquet', 'parquet'],
])

export async function produce(tablePath: string, file: string | undefined, flags: ProduceFlags): Promise<void> {
  const path = file === '-' ? undefined : file
  const format = formatOf(path, flags.format)
  if (path !== undefined) await access(path)
  const said = meter()
  const sender = senderTo(flags, `${tablePath}/records${queryOf(flags)}`, format)
  for await (const body of bodiesOf(format, path, { tablePath, flags })) {
    const bytes = await sender.send(body, said.rows)
    said.add(body.rows, bytes)
  }
  // of nothing the server is still asked whether it would take it
  if (said.requests === 0) said.add(0, await sender.send({ bytes: new Uint8Array(), rows: 0 }, 0))
  said.end(flags.json ?? false)
}

function queryOf({ op, columns }: ProduceFlags): string {
  const query = new URLSearchParams({ ...(op !== undefined && { op }), ...(columns !== undefined && { columns }) })
  return query.size === 0 ? '' : `?${query}`
}

function formatOf(path: string | undefined, format: Format | undefined): Format {
  const extension = path === undefined ? '' : extname(path).toLowerCase()
  const found = format ?? formatOfExtension.get(extension) ?? 'ndjson'
  if (found === 'parquet' && path === undefined) throw new Failure('a Parquet file is read from its end: name it as a file', 2)
  return found
}

async function* bodiesOf(
  format: Format,
  path: string | undefined,
  { tablePath, flags }: { tablePath: string; flags: Remote },
): AsyncGenerator<Body> {
  const source = () => (path === undefined ? process.stdin : createReadStream(path, { highWaterMark: 256 * 1024 }))
  if (format === 'ndjson') yield* lineBodies(source())
  else if (format === 'arrow') yield* arrowBodies(source())
  else if (format === 'csv') {
    const { csvLines } = await import('./csv.ts')
    const answer = await call(flags, 'GET', tablePath)
    const { columns } = JSON.parse(Buffer.from(answer.bytes).toString())
    yield* withoutLines(lineBodies(joinLines(csvLines(source(), columns))))
  } else {
    const { parquetLines } = await import('../parquet/lines.ts')
    yield* withoutLines(lineBodies(joinLines(parquetLines(path ?? ''))))
  }
}

/** Lines that are not those of the input say nothing. */
async function* withoutLines(bodies: AsyncIterable<Body>): AsyncGenerator<Body> {
  for await (const { bytes, rows } of bodies) yield { bytes, rows }
}

const retryForMs = 30_000

interface Sender {
  /** How many bytes were sent, once it is done. */
  send(body: Body, rowsBefore: number): Promise<number>
}

function senderTo(remote: Remote, path: string, format: Format): Sender {
  const producer = randomUUID()
  const type = format === 'arrow' ? 'application/vnd.apache.arrow.stream' : 'application/x-ndjson'
  let sequence = 0
  return {
    send: async (body, rowsBefore) => {
      const headers = { 'Content-Type': type, 'Producer-Id': producer, 'Producer-Seq': String(sequence++) }
      try {
        // the same sequence with the same body: what was taken already is not taken again. A server that never was there is not waited for
        const patience = sequence > 1 ? { retryForMs } : {}
        await call(remote, 'POST', path, { body: body.bytes, headers, ...patience })
        return body.bytes.length
      } catch (error) {
        throw error instanceof Failure ? inPlace(error, body, rowsBefore) : error
      }
    },
  }
}

function inPlace(failure: Failure, { firstLine }: Body, rowsBefore: number): Failure {
  const where = firstLine === undefined || firstLine === 1 ? '' : `\nits lines count from line ${firstLine} of the input`
  const before = rowsBefore === 0 ? '' : `\n${rowsBefore.toLocaleString('en')} rows before it are in the table`
  return new Failure(`${failure.message}${where}${before}`, failure.exitStatus, failure)
}

interface Meter {
  readonly rows: number
  readonly requests: number
  add(rows: number, bytes: number): void
  end(json: boolean): void
}

const progressMs = 200

/** Progress goes to whoever watches standard error, the end to standard output. */
function meter(): Meter {
  const start = performance.now()
  let rows = 0
  let bytes = 0
  let requests = 0
  let shown = start
  const isWatched = process.stderr.isTTY
  const seconds = () => (performance.now() - start) / 1000
  const text = () => {
    const passed = seconds().toFixed(seconds() < 10 ? 2 : 0)
    return `${rows.toLocaleString('en')} ${rows === 1 ? 'row' : 'rows'}, ${sizeText(bytes)} in ${passed} s`
  }
  return {
    get rows() {
      return rows
    },
    get requests() {
      return requests
    },
    add: (moreRows, moreBytes) => {
      rows += moreRows
      bytes += moreBytes
      requests++
      if (!isWatched || performance.now() - shown < progressMs) return
      shown = performance.now()
      process.stderr.write(`\r\x1b[K${text()}`)
    },
    end: (json) => {
      if (isWatched) process.stderr.write('\r\x1b[K')
      const summary = json
        ? JSON.stringify({ rows, bytes, seconds: Number(seconds().toFixed(3)), requests })
        : `produced ${text()}`
      process.stdout.write(`${summary}\n`)
    },
  }
}

function sizeText(bytes: number): string {
  if (bytes < 1e3) return `${bytes} B`
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`
}
