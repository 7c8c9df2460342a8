/**
 * Reads a table to its end over HTTP, page by page, each from the cursor of the one before, over one connection. Bodies are counted
 * and dropped. Another table is read first, so that code is warm on both sides and nothing of the measured table is in a cache.
 * Prints one JSON object.
 *
 *   node bench/read-child.ts '<ReadSpec as JSON>'
 */
import { Agent, get } from 'node:http'

export interface ReadSpec {
  readonly port: number
  readonly path: string
  /** Of the table that is read first. */
  readonly warmPath: string
  /** Of the first page, and beside the cursor of the others. */
  readonly first: string
  readonly more: string
  readonly accept: string
  /** Whole reads, one after the other. */
  readonly times: number
}

export interface ReadResult {
  readonly seconds: number
  readonly rows: number
  readonly bytes: number
  readonly pages: number
  /** That the server read from its object store. */
  readonly storageBytes: number
}

const spec = JSON.parse(process.argv[2] ?? '{}') as ReadSpec
const agent = new Agent({ keepAlive: true, maxSockets: 1 })
const warmings = 12

for (let time = 0; time < warmings; time++) await readAll(spec.warmPath)
const before = await storageBytes()
const begun = performance.now()
let total = { rows: 0, bytes: 0, pages: 0 }
for (let time = 0; time < spec.times; time++) {
  const { rows, bytes, pages } = await readAll(spec.path)
  total = { rows: total.rows + rows, bytes: total.bytes + bytes, pages: total.pages + pages }
}
const seconds = (performance.now() - begun) / 1_000
process.stdout.write(JSON.stringify({ seconds, ...total, storageBytes: (await storageBytes()) - before }))
agent.destroy()

async function readAll(path: string): Promise<Pick<ReadResult, 'rows' | 'bytes' | 'pages'>> {
  let rows = 0
  let bytes = 0
  for (let query = spec.first, pages = 0; ; pages++) {
    const page = await read(`${path}?${query}${spec.more}`)
    if (page.rows === 0) return { rows, bytes, pages }
    rows += page.rows
    bytes += page.bytes
    query = `cursor=${page.cursor}`
  }
}

/** 0 where the server does not say. */
async function storageBytes(): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${spec.port}/v1/cost`)
  const { amounts } = (await answer.json().catch(() => ({}))) as { readonly amounts?: Readonly<Record<string, number>> }
  return amounts?.['objects/bytesOut'] ?? 0
}

function read(path: string): Promise<{ readonly rows: number; readonly bytes: number; readonly cursor: string }> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port: spec.port, path, agent, headers: { accept: spec.accept } }, (response) => {
      let length = 0
      let text = ''
      response.on('data', (chunk: Buffer) => {
        length += chunk.length
        if (response.statusCode !== 200) text += chunk.toString()
      })
      response.on('error', reject)
      response.on('end', () => {
        if (response.statusCode !== 200)
          return reject(new Error(`${path} answered ${response.statusCode}: ${text.slice(0, 1_000)}`))
        resolve({
          rows: Number(response.headers['sluice-rows']),
          bytes: length,
          cursor: String(response.headers['sluice-cursor']),
        })
      })
    })
    request.on('error', reject)
  })
}
