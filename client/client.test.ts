import { readFile } from 'node:fs/promises'
import { expect, test, vi } from 'vitest'
import { SluiceClient } from './client.ts'
import { fakeFetch, json, lost, rows, type Step } from './fake-fetch.case.ts'

const fixture = async (name: string) => JSON.parse(await readFile(new URL(`./fixtures/${name}.json`, import.meta.url), 'utf8'))
const table = await fixture('table')
const acked = (bucket: number, duplicate = false) =>
  json(200, { buckets: [{ partition: '', bucket, baseOffset: '0', endOffset: '1' }], duplicate })
const throttled = () =>
  json(503, { error: { code: 'unavailable', message: 'later', effect: 'partial', action: 'retry', facts: {} } })

function clientOf(steps: readonly Step[], retryForMs = 20_000) {
  const { fetch, sent } = fakeFetch(steps)
  return { client: new SluiceClient({ url: 'http://sluice/', fetch, token: 'secret', retryForMs }), sent }
}

async function caught(work: Promise<unknown>) {
  return work.then(
    () => undefined,
    (error) => error,
  )
}

test('a request that failed is repeated, byte for byte, and carries the token', async () => {
  const { client, sent } = clientOf([lost(), throttled(), json(201, { name: 'd', createdAt: 1, status: 'alive' })])
  expect((await client.createDatabase('d')).name).toBe('d')
  expect(sent).toEqual([sent[0], sent[0], sent[0]])
  expect(sent[0]).toMatchObject({ method: 'PUT', path: '/v1/databases/d', headers: { Authorization: 'Bearer secret' } })
})

test('Retry-After is obeyed, and the time for repeats bounds it', async () => {
  const { client, sent } = clientOf([json(429, {}, { 'Retry-After': '60' })], 1_000)
  expect(await caught(client.version())).toMatchObject({ code: 'throttled', action: 'retry', retryAfterMs: 60_000 })
  expect(sent.length).toBe(1)
})

test('an alteration whose answer is lost is not made twice: its effect is unknown', async () => {
  const { client, sent } = clientOf([lost()])
  expect(await caught(client.alterTable('d', 't', {}))).toMatchObject({ code: 'unavailable', effect: 'unknown' })
  expect(sent.length).toBe(1)
})

test('a drop whose answer was lost is done when the table is not there any more', async () => {
  const missing = { error: { code: 'not-found', message: 'no', effect: 'none', action: 'fix', facts: {} } }
  await clientOf([lost(), json(404, missing)]).client.dropTable('d', 't')
  expect(await caught(clientOf([json(404, missing)]).client.dropTable('d', 't'))).toMatchObject({
    code: 'not-found',
    effect: 'none',
  })
})

test('a code that only a newer server knows becomes the one of its status', async () => {
  const error = { code: 'quota-used', message: 'enough', effect: 'none', action: 'stop', facts: { quota: '1' }, more: true }
  const found = await caught(clientOf([json(429, { error })]).client.version())
  expect(found).toMatchObject({ code: 'throttled', action: 'stop', facts: { code: 'quota-used', quota: '1' } })
})

test('answers of earlier versions, and of later ones with more in them, are understood', async () => {
  const { client } = clientOf([json(200, table), json(200, await fixture('offsets')), json(200, await fixture('tier'))])
  expect((await client.describeTable('d', 't')).buckets).toMatchObject({ count: 8, key: ['id'] })
  expect((await client.offsets('d', 't')).map(({ end }) => end)).toEqual(['12', '9223372036854775807'])
  expect(await client.tier('d', 't')).toMatchObject({ isDone: true, state: 'idle', snapshot: '77' })
})

test('a lost answer is resolved with the same sequence and the same body', async () => {
  const { client, sent } = clientOf([json(200, table), lost(), throttled(), acked(0, true)])
  const duplicates: boolean[] = []
  const producer = await client.producer('d', 't', { lanes: 1, onAcked: ({ produced }) => duplicates.push(produced.duplicate) })
  await producer.write([
    { id: 1n, text: 'a' },
    { id: 2n ** 62n, text: null },
  ])
  await producer.close()
  expect([sent[2], sent[3]]).toEqual([sent[1], sent[1]])
  expect(sent[1]).toMatchObject({
    body: '{"id":1,"text":"a"}\n{"id":4611686018427387904,"text":null}\n',
    headers: { 'Producer-Seq': '0' },
  })
  expect(duplicates).toEqual([true])
})

test('rows of one key go through one lane, in order, one request at a time', async () => {
  const inFlight = new Map<string, number>()
  const step: Step = async ({ headers }) => {
    const lane = headers['Producer-Id'] ?? ''
    inFlight.set(lane, (inFlight.get(lane) ?? 0) + 1)
    await new Promise((resolve) => setTimeout(resolve, 1))
    expect(inFlight.get(lane)).toBe(1)
    inFlight.set(lane, 0)
    return acked(0)
  }
  const { client, sent } = clientOf([json(200, table), ...new Array(500).fill(step)])
  const producer = await client.producer('d', 't', { lanes: 3, batchBytes: 100, producerId: 'p' })
  for (let n = 0; n < 200; n++) await producer.write({ id: n % 10, text: `${n}` })
  await producer.close()
  const lanes = new Map<number, Set<string>>()
  const seen = new Map<number, number[]>()
  for (const { headers, body } of sent.slice(1)) {
    for (const line of body.trim().split('\n')) {
      const { id, text } = JSON.parse(line)
      lanes.set(id, (lanes.get(id) ?? new Set()).add(headers['Producer-Id'] ?? ''))
      seen.set(id, [...(seen.get(id) ?? []), Number(text)])
    }
  }
  expect([...lanes.values()].every((found) => found.size === 1)).toBe(true)
  expect(new Set([...lanes.values()].flatMap((found) => [...found])).size).toBeGreaterThan(1)
  for (const [id, found] of seen) expect(found).toEqual(Array.from({ length: 20 }, (_, n) => 10 * n + id))
})

test('rows that are written within the linger are one request, and nobody has to ask for it', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  try {
    const { client, sent } = clientOf([json(200, table), acked(0), acked(0)])
    const producer = await client.producer('d', 't', { lanes: 1, lingerMs: 40 })
    const written = () =>
      sent.slice(1).map(({ body }) =>
        body
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line).id),
      )
    for (const id of [1, 2, 3]) {
      await producer.write({ id })
      await vi.advanceTimersByTimeAsync(13)
    }
    expect(written()).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(written()).toEqual([[1, 2, 3]])
    await producer.write({ id: 4 })
    await vi.advanceTimersByTimeAsync(39)
    expect(written()).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(written()).toEqual([[1, 2, 3], [4]])
  } finally {
    vi.useRealTimers()
  }
})

test('a request has at most batchBytes of lines, and goes before its linger is over once it is full', async () => {
  let release = (): void => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const { client, sent } = clientOf([json(200, table), () => held.then(() => acked(0)), ...new Array(3).fill(() => acked(0))])
  const producer = await client.producer('d', 't', { lanes: 1, lingerMs: 60_000, batchBytes: 30 })
  // Lines of 10 bytes.
  for (const id of [11, 12, 13]) await producer.write({ id })
  await expect.poll(() => sent.length).toBe(2)
  for (const id of [14, 15, 16, 17, 18, 19]) await producer.write({ id })
  await producer.write({ id: 20, text: 'x'.repeat(40) })
  release()
  await producer.close()
  expect(
    sent.slice(1).map(({ body }) =>
      body
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).id),
    ),
  ).toEqual([[11, 12, 13], [14, 15, 16], [17, 18, 19], [20]])
})

test('a producer whose buffer is full waits for an ack', async () => {
  let release = (): void => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const { client, sent } = clientOf([json(200, table), () => held.then(() => acked(0)), acked(0), acked(0)])
  const producer = await client.producer('d', 't', { lanes: 1, bufferBytesMax: 40, batchBytes: 40 })
  await producer.write({ id: 1, text: 'x'.repeat(10) })
  let isWritten = false
  const writing = producer.write({ id: 2, text: 'x'.repeat(10) }).then(() => {
    isWritten = true
  })
  await expect.poll(() => sent.length).toBe(2)
  expect(isWritten).toBe(false)
  release()
  await writing
  await producer.close()
  expect(sent.length).toBe(3)
})

test('the first refusal ends a producer, and every later call says it', async () => {
  const error = { code: 'invalid-rows', message: 'line 1', effect: 'none', action: 'fix', facts: { line: 1 } }
  const { client } = clientOf([json(200, table), json(400, { error })])
  const producer = await client.producer('d', 't', { lanes: 1 })
  await producer.write({ id: 'x' })
  for (const work of [() => producer.flush(), () => producer.write({ id: 1 }), () => producer.close()])
    expect(await caught(work())).toMatchObject({ code: 'invalid-rows', facts: { line: 1 } })
})

test('a reader goes on from the last cursor, whatever is lost or cut between', async () => {
  const cut = rows([{ id: '3', text: 'c' }], 'c3', { 'Sluice-Rows': '2' })
  const { client, sent } = clientOf([
    rows([{ id: '1', text: 'a', __offset: '0' }], 'c1'),
    json(200, table),
    lost(),
    rows([], 'c2'),
    cut,
    rows(
      [
        { id: '3', text: 'c' },
        { id: '4', text: null },
      ],
      'c3',
    ),
    rows([], 'c3'),
  ])
  const found = []
  for await (const batch of client.fetch('d', 't', { follow: false, where: "text = 'a'" })) found.push(batch)
  expect(found).toEqual([
    { rows: [{ id: 1n, text: 'a', __offset: 0n }], cursor: 'c1' },
    {
      rows: [
        { id: 3n, text: 'c' },
        { id: 4n, text: null },
      ],
      cursor: 'c3',
    },
  ])
  expect(sent.filter(({ path }) => path.includes('/log')).map(({ path }) => /(cursor|offset)=([^&]*)/.exec(path)?.[2])).toEqual([
    'earliest',
    'c1',
    'c1',
    'c2',
    'c2',
    'c3',
  ])
})

test('a reader waits as long as Sluice-Poll-After says', async () => {
  const { client } = clientOf([rows([], 'c', { 'Sluice-Poll-After': '300' }), rows([{ text: 'a' }], 'd'), json(200, table)])
  const started = Date.now()
  const first = await client.fetch('d', 't', { from: 'latest' }).next()
  expect(first.value).toMatchObject({ cursor: 'd' })
  expect(Date.now() - started).toBeGreaterThanOrEqual(295)
})

test('a column that is new since the table was described is described again', async () => {
  const more = { ...table, columns: [...table.columns, { id: 9, name: 'n', type: 'bigint', nullable: true }] }
  const { client } = clientOf([rows([{ id: '1', n: '7' }], 'c'), json(200, table), json(200, more), rows([], 'c')])
  const { value } = await client.fetch('d', 't', { follow: false }).next()
  expect(value?.rows).toEqual([{ id: 1n, n: 7n }])
})

test('a tail comes back with the id of its last event, and ends when the table is dropped', async () => {
  const sse = (text: string) => new Response(text, { headers: { 'Content-Type': 'text/event-stream' } })
  const { client, sent } = clientOf([
    rows([], 'c0'),
    sse('retry: 1000\n\nevent: records\nid: c1\ndata: [{"text":"a"}]\n\nid: c2\n\nevent: rec'),
    json(200, table),
    sse('event: end\ndata: {"reason":"dropped"}\n\n'),
  ])
  const tail = client.tail('d', 't')
  expect((await tail.next()).value).toEqual({ rows: [{ text: 'a' }], cursor: 'c1' })
  expect(await caught(tail.next())).toMatchObject({ code: 'gone' })
  expect(sent.map(({ headers }) => headers['Last-Event-ID'])).toEqual([undefined, 'c0', undefined, 'c2'])
})

test('where nothing streams a tail is a long poll', async () => {
  const { client, sent } = clientOf([rows([], 'c0'), rows([], 'c0'), rows([{ text: 'a' }], 'c1'), json(200, table)])
  expect((await client.tail('d', 't').next()).value).toMatchObject({ cursor: 'c1' })
  expect(sent[2]?.path).toContain('wait=')
})
