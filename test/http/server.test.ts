/** The server itself: slow and greedy clients, too many bytes, and a drain that cuts nobody. */
import { connect, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, expect, test } from 'vitest'
import { defaultHttpLimits } from '../../serve/http.ts'
import { diskSite, lines, makeTable, memorySite, ndjson, readLines, type Site } from './harness.ts'

const sites: Site[] = []
const opened = async (site: Promise<Site>) => {
  sites.push(await site)
  return site
}
afterEach(async () => {
  for (const site of sites.splice(0)) await site.close()
})

const quick = { ...defaultHttpLimits, headTimeoutMs: 300, requestTimeoutMs: 600 }

function wire(port: number): Promise<{ socket: Socket; text: () => string; closed: Promise<string> }> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(port, '127.0.0.1', () => resolve({ socket, text: () => text, closed }))
    socket.on('error', reject)
    socket.on('data', (chunk) => {
      text += chunk
    })
    const closed = new Promise<string>((done) => socket.on('close', () => done(text)))
  })
}

test('a head that never ends, and a body that never ends, are cut off with an answer', async () => {
  const site = await opened(memorySite({ http: quick }))
  const path = await makeTable(site.client, 't')
  const head = await wire(site.running.port)
  head.socket.write('GET /v1 HTTP/1.1\r\nHost: localhost\r\nX: ')
  const body = await wire(site.running.port)
  body.socket.write(
    `POST ${path}/records HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: 100\r\n\r\n{"id`,
  )
  expect(await head.closed).toMatch(/"code":"timeout"/)
  expect(await body.closed).toMatch(/"code":"timeout"/)
  expect((await site.client.get(`${path}/offsets`)).json.buckets[0].end).toBe('0')
})

test('a body that is too large is refused before it is sent, to who asks first', async () => {
  const site = await opened(memorySite())
  const path = await makeTable(site.client, 't')
  const head = (length: number) =>
    `POST ${path}/records HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: ${length}\r\nExpect: 100-continue\r\n\r\n`
  const large = await wire(site.running.port)
  large.socket.write(head(5_000_000))
  expect(await large.closed).toMatch(/^HTTP\/1.1 413 /)
  const small = await wire(site.running.port)
  small.socket.write(head(8))
  await expect.poll(small.text).toMatch(/^HTTP\/1.1 100 /)
  small.socket.write('{"id":1}')
  await expect.poll(small.text).toMatch(/HTTP\/1.1 200 [\s\S]*"endOffset":"1"/)
  small.socket.destroy()
})

test('bytes in flight are bounded: beyond, throttled, and free again after', async () => {
  const site = await opened(memorySite({ bytesInFlightMax: 64 * 1024 }))
  const path = await makeTable(site.client, 't')
  const body = lines([{ id: 1, text: 'x'.repeat(100_000) }])
  const refused = await site.client.send('POST', `${path}/records`, { body, headers: ndjson })
  expect([refused.status, refused.json.error.code, refused.json.error.action, refused.headers['retry-after']]).toEqual([
    429,
    'throttled',
    'retry',
    '1',
  ])
  expect((await site.client.send('POST', `${path}/records`, { body: '{"id":1}', headers: ndjson })).status).toBe(200)
})

test('a compressed body counts as long as it becomes', async () => {
  const site = await opened(memorySite({ bytesInFlightMax: 1024 * 1024 }))
  const path = await makeTable(site.client, 't')
  const headers = { ...ndjson, 'Content-Encoding': 'gzip' }
  const body = gzipSync(Buffer.alloc(2 * 1024 * 1024, 10))
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => site.client.send('POST', `${path}/records`, { body, headers })),
  )
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([429]))
  expect((await site.client.send('POST', `${path}/records`, { body: gzipSync('{"id":1}'), headers })).status).toBe(200)
})

test('a client that goes away in the middle of its body leaves nothing behind', async () => {
  const site = await opened(memorySite({ bytesInFlightMax: 8 * 1024 * 1024 }))
  const path = await makeTable(site.client, 't')
  for (let i = 0; i < 20; i++) {
    const { socket, closed } = await wire(site.running.port)
    socket.write(
      `POST ${path}/records HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: 2000000\r\n\r\n`,
    )
    await new Promise((resolve) => socket.write(Buffer.alloc(1_000_000, 32), resolve))
    socket.destroy()
    await closed
  }
  await expect
    .poll(
      async () =>
        (await site.client.send('POST', `${path}/records`, { body: `${' '.repeat(2_000_000)}\n{"id":1}`, headers: ndjson }))
          .status,
    )
    .toBe(200)
  expect(site.defects).toEqual([])
})

test.each([
  ['memory', memorySite],
  ['a directory and SQLite', diskSite],
])('a drain under load over %s: every request is answered, and what was acked is there', async (_where, open) => {
  const site = await opened(open())
  const path = await makeTable(site.client, 'drained', { buckets: { count: 2 } })
  const acked: string[] = []
  let cut = 0
  let refused = 0
  const lane = async (name: number) => {
    for (let seq = 0; ; seq++) {
      const id = String(name * 1_000_000 + seq)
      try {
        const { status } = await site.client.raw('POST', `${path}/records`, {
          body: `{"id":${id},"text":"x"}\n`,
          headers: ndjson,
        })
        if (status === 200) acked.push(id)
        else refused++
      } catch (error) {
        // refused to connect: nothing was begun; anything else would be a request that was cut
        if ((error as { code?: string }).code === 'ECONNREFUSED') return
        cut++
        return
      }
    }
  }
  const lanes = Array.from({ length: 16 }, (_, name) => lane(name))
  await expect.poll(() => acked.length, { timeout: 10_000 }).toBeGreaterThan(200)
  expect(await site.running.stop()).toBe(true)
  await Promise.all(lanes)
  expect([cut, refused]).toEqual([0, 0])
  const stored = await storedIds(await site.reopen(), path)
  expect(acked.filter((id) => !new Set(stored).has(id))).toEqual([])
  expect(stored).toHaveLength(acked.length)
})

async function storedIds(site: Site, path: string): Promise<unknown[]> {
  const ids: unknown[] = []
  for (const bucket of [0, 1]) {
    for (let next = '0'; ; ) {
      const { text, headers } = await site.client.get(`${path}/log?bucket=${bucket}&offset=${next}&limit=100000`)
      ids.push(...readLines(text).map(({ id }) => id))
      next = headers['sluice-next-offset'] as string
      if (next === headers['sluice-end-offset']) break
    }
  }
  await site.close()
  return ids
}

test('two servers on one directory are one log: offsets have no gap, a retry at the other is a duplicate, a drop holds at both', async () => {
  const one = await opened(diskSite())
  const two = await opened(one.reopen())
  const path = await makeTable(one.client, 't')
  const produce = (site: Site, id: number, producer: string, sequence: number) =>
    site.client.send('POST', `${path}/records`, {
      body: lines([{ id }]),
      headers: { ...ndjson, 'Producer-Id': producer, 'Producer-Seq': String(sequence) },
    })
  const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => produce(i % 2 === 0 ? one : two, i, `p${i}`, 0)))
  expect(answers.map(({ status }) => status)).toEqual(Array(40).fill(200))
  const offsets = answers.map(({ json }) => Number(json.buckets[0].baseOffset)).sort((a, b) => a - b)
  expect(offsets).toEqual(Array.from({ length: 40 }, (_, i) => i))
  const again = await produce(two, 0, 'p0', 0)
  expect([again.json.duplicate, again.json.buckets]).toEqual([true, answers[0]?.json.buckets])
  const reads = await Promise.all([one, two].map((site) => site.client.get(`${path}/log?bucket=0&offset=earliest`)))
  expect(reads[0]?.text).toBe(reads[1]?.text)
  expect(readLines(reads[0]?.text ?? '').map(({ __offset }) => Number(__offset))).toEqual(offsets)
  expect((await one.client.send('DELETE', path)).status).toBe(204)
  expect((await produce(two, 41, 'p41', 0)).status).toBe(404)
})
