/**
 * Produces rows at a fixed rate and tails them at the same time; a row carries the time at which its request was due. Prints one JSON
 * object.
 *
 *   node bench/tail-child.ts '<TailSpec as JSON>'
 */
import { Agent, get, request } from 'node:http'

export interface TailSpec {
  readonly port: number
  readonly path: string
  readonly way: 'poll' | 'events'
  readonly perSecond: number
  /** Measured; a tenth of it is sent before, unmeasured. */
  readonly rows: number
}

export interface TailResult {
  readonly rows: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

const spec = JSON.parse(process.argv[2] ?? '{}') as TailSpec
const warming = Math.ceil(spec.rows / 10)
const total = spec.rows + warming
const agent = new Agent({ keepAlive: true })
const latencies: number[] = []

const reading = spec.way === 'poll' ? poll() : events()
await produceAll()
await reading
const sorted = latencies.slice(warming).toSorted((a, b) => a - b)
const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
process.stdout.write(JSON.stringify({ rows: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }))
process.exit(0)

async function produceAll(): Promise<void> {
  const start = performance.now() + 300
  const sent: Promise<void>[] = []
  for (let row = 0; row < total; row++) {
    const due = start + (row * 1_000) / spec.perSecond
    const left = due - performance.now()
    if (left > 0) await new Promise((resolve) => setTimeout(resolve, left))
    sent.push(produce(due))
  }
  await Promise.all(sent)
}

function produce(due: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/x-ndjson' }
    const sending = request(
      { host: '127.0.0.1', port: spec.port, method: 'POST', path: `${spec.path}/records`, agent, headers },
      (answer) => {
        answer.resume()
        answer.on('end', () => (answer.statusCode === 200 ? resolve() : reject(new Error(`produce: ${answer.statusCode}`))))
      },
    )
    sending.on('error', reject)
    sending.end(`{"due":${due}}\n`)
  })
}

function seen(rows: readonly { readonly due: number }[]): void {
  const now = performance.now()
  for (const { due } of rows) latencies.push(now - due)
}

async function poll(): Promise<void> {
  for (let query = 'offset=earliest'; latencies.length < total; ) {
    const { text, cursor } = await page(`${spec.path}/log?${query}&wait=20s`)
    seen(
      text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line)),
    )
    query = `cursor=${cursor}`
  }
}

function page(path: string): Promise<{ readonly text: string; readonly cursor: string }> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port: spec.port, path, agent }, (answer) => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', (chunk: string) => {
        text += chunk
      })
      answer.on('end', () => resolve({ text, cursor: String(answer.headers['sluice-cursor']) }))
    }).on('error', reject)
  })
}

function events(): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { accept: 'text/event-stream' }
    get({ host: '127.0.0.1', port: spec.port, path: `${spec.path}/log?offset=earliest`, agent, headers }, (answer) => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', (chunk: string) => {
        text += chunk
        for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
          const data = /^data: (\[.*\])$/m.exec(text.slice(0, end))?.[1]
          if (data !== undefined) seen(JSON.parse(data))
          text = text.slice(end + 2)
        }
        if (latencies.length >= total) resolve()
      })
      answer.on('end', () => (latencies.length >= total ? resolve() : reject(new Error('the stream ended before its rows came'))))
    }).on('error', reject)
  })
}
