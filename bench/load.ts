/**
 * The load generator, in a process of its own: raw sockets with keep-alive, so that it costs little beside the server.
 * Closed loop: each connection sends its next request when the last one is answered. Open loop (`perSecond`): requests
 * are due at fixed times and latency counts from then, so that a stall of the server is not hidden by a waiting client.
 * Prints one JSON object.
 *
 *   node bench/load.ts '<LoadSpec as JSON>'
 */
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'

export interface LoadSpec {
  readonly port: number
  readonly path: string
  readonly contentType: string
  /** Several: each request has the next one, over all connections. */
  readonly bodyFile: string | readonly string[]
  readonly connections: number
  /** Measured requests, over all connections; a tenth of it is sent before, unmeasured, unless `warm` says how many. */
  readonly requests: number
  readonly warm?: number
  /** Each connection is a producer of this name and its number. */
  readonly producer?: string
  /** Open loop at this rate. */
  readonly perSecond?: number
}

export interface LoadResult {
  readonly requests: number
  readonly seconds: number
  readonly perSecond: number
  readonly bytesPerSecond: number
  /** Answers that were not 200, with the first of them. */
  readonly failed: number
  readonly firstFailure?: string
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

const spec = JSON.parse(process.argv[2] ?? '{}') as LoadSpec
const bodies = [spec.bodyFile].flat().map((file) => readFileSync(file))
let sent = 0
const latencies: number[] = []
let failed = 0
let firstFailure: string | undefined

const lanes = await Promise.all(Array.from({ length: spec.connections }, (_, index) => openLane(index)))
await closedLoop(spec.warm ?? Math.ceil(spec.requests / 10))
latencies.length = 0
const begun = performance.now()
await (spec.perSecond === undefined ? closedLoop(spec.requests) : openLoop(spec.requests, spec.perSecond))
const seconds = (performance.now() - begun) / 1000
for (const lane of lanes) lane.close()
process.stdout.write(JSON.stringify(resultOf(seconds)))

interface Lane {
  send(): Promise<void>
  close(): void
}

async function closedLoop(requests: number): Promise<void> {
  let left = requests
  await Promise.all(
    lanes.map(async (lane) => {
      while (left-- > 0) await timed(lane, performance.now())
    }),
  )
}

async function openLoop(requests: number, perSecond: number): Promise<void> {
  const start = performance.now()
  const free = [...lanes]
  const waiting: ((lane: Lane) => void)[] = []
  const done: Promise<void>[] = []
  for (let next = 0; next < requests; next++) {
    const due = start + (next * 1000) / perSecond
    if (due > performance.now() + 1) await new Promise((resolve) => setTimeout(resolve, due - performance.now()))
    const turn = new Promise<Lane>((resolve) => {
      const lane = free.pop()
      if (lane === undefined) waiting.push(resolve)
      else resolve(lane)
    })
    done.push(
      turn.then(async (lane) => {
        await timed(lane, due)
        const next = waiting.shift()
        if (next === undefined) free.push(lane)
        else next(lane)
      }),
    )
  }
  await Promise.all(done)
}

async function timed(lane: Lane, due: number): Promise<void> {
  await lane.send()
  latencies.push(performance.now() - due)
}

async function openLane(index: number): Promise<Lane> {
  const socket = connect({ port: spec.port, host: '127.0.0.1', noDelay: true })
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  const answers = readAnswers(socket)
  let sequence = 0
  const start = `POST ${spec.path} HTTP/1.1\r\nHost: 127.0.0.1:${spec.port}\r\nContent-Type: ${spec.contentType}\r\n`
  return {
    async send() {
      const named = spec.producer === undefined ? '' : `Producer-Id: ${spec.producer}-${index}\r\nProducer-Seq: ${sequence++}\r\n`
      const body = bodies[sent++ % bodies.length] as Buffer
      const answer = answers()
      socket.cork()
      socket.write(`${start}Content-Length: ${body.length}\r\n${named}\r\n`, 'latin1')
      socket.write(body)
      socket.uncork()
      const { status, text } = await answer
      if (status === 200) return
      failed++
      firstFailure ??= `${status} ${text.slice(0, 500)}`
    },
    close: () => socket.destroy(),
  }
}

interface Answer {
  readonly status: number
  readonly text: string
}

/** One answer at a time, as each lane has one request in flight. */
function readAnswers(socket: Socket): () => Promise<Answer> {
  let read = ''
  let settle: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined
  socket.setEncoding('latin1')
  socket.on('data', (chunk: string) => {
    read += chunk
    const answer = wholeAnswer(read)
    if (answer === undefined) return
    read = ''
    settle?.resolve(answer)
  })
  socket.on('error', (error) => settle?.reject(error))
  socket.on('close', () => settle?.reject(new Error('the server closed the connection')))
  return () =>
    new Promise((resolve, reject) => {
      settle = { resolve, reject }
    })
}

function wholeAnswer(read: string): Answer | undefined {
  const headEnd = read.indexOf('\r\n\r\n')
  if (headEnd < 0) return undefined
  const head = read.slice(0, headEnd)
  const text = read.slice(headEnd + 4)
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  const whole = length === undefined ? text.endsWith('0\r\n\r\n') : text.length >= Number(length)
  return whole ? { status: Number(head.slice(9, 12)), text } : undefined
}

function resultOf(elapsed: number): LoadResult {
  const sorted = latencies.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return {
    requests: sorted.length,
    seconds: elapsed,
    perSecond: sorted.length / elapsed,
    bytesPerSecond: (sorted.length * meanBytes()) / elapsed,
    failed,
    ...(firstFailure === undefined ? {} : { firstFailure }),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
  }
}

function meanBytes(): number {
  return bodies.reduce((sum, { length }) => sum + length, 0) / bodies.length
}
