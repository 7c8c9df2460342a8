/** Waiting for rows: long polls, live tails, what ends them, and who comes back. */
import { createConnection } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { diskSite, lines, makeTable, memorySite, ndjson, readLines, type Site, siteOfFile } from './harness.ts'
import { followTail, openTail } from './tail-reader.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
const site = await siteOfFile()

const produce = async (on: Site, path: string, rows: readonly object[], query = ''): Promise<void> => {
  const { status, text } = await on.client.send('POST', `${path}/records${query}`, { body: lines(rows), headers: ndjson })
  if (status !== 200) throw new Error(text)
}
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const rowsOf = (events: readonly { event: string; data: string }[]): Record<string, unknown>[] =>
  events.flatMap(({ event, data }) => (event === 'records' ? JSON.parse(data) : []))

test('a fetch that waits is answered when rows come', async () => {
  const path = await makeTable(site.client, 'waits')
  const answer = site.client.get(`${path}/log?bucket=0&offset=latest&wait=20s`)
  await pause(50)
  await produce(site, path, [{ id: 1 }])
  const { text, headers } = await answer
  expect(readLines(text).map(({ id }) => id)).toEqual(['1'])
  expect([headers['sluice-start-offset'], headers['sluice-next-offset']]).toEqual(['0', '1'])
})

test('rows that another server commits are found by asking again', async () => {
  const path = await makeTable(site.client, 'elsewhere', { buckets: { count: 3 } })
  const other = await site.reopen()
  const answer = site.client.get(`${path}/log?offset=latest&wait=20s`)
  await pause(20)
  await produce(other, path, [{ id: 1 }])
  expect(readLines((await answer).text).map(({ id }) => id)).toEqual(['1'])
  await other.close()
})

test('a fetch that waits in vain has the cursor past what the filter left out', async () => {
  const path = await makeTable(site.client, 'vain')
  const answer = site.client.get(`${path}/log?bucket=0&offset=earliest&wait=300ms&where=${encodeURIComponent('id = 5')}`)
  await pause(50)
  await produce(site, path, [{ id: 1 }, { id: 2 }])
  const { status, text, headers } = await answer
  expect([status, text, headers['sluice-rows'], headers['sluice-next-offset']]).toEqual([200, '', '0', '2'])
})

test('a fetch that waits on a table that is dropped is told', async () => {
  const path = await makeTable(site.client, 'dropped')
  const answer = site.client.get(`${path}/log?bucket=0&offset=latest&wait=20s`)
  await pause(20)
  await site.client.send('DELETE', path)
  expect((await answer).status).toBe(404)
})

test('events bring rows with the cursor behind them, from latest unless told otherwise', async () => {
  const path = await makeTable(site.client, 'events', { buckets: { count: 2 } })
  await produce(site, path, [{ id: 1 }], '?bucket=0')
  const tail = openTail(site.client.port, `${path}/log?wait=2s`, { until: ({ data }) => data.includes('"id":"3"') })
  await pause(100)
  await produce(site, path, [{ id: 2, text: 'line\nend' }], '?bucket=0')
  await produce(site, path, [{ id: 3 }], '?bucket=1')
  const { status, headers, text, events } = await tail
  expect([status, headers['content-type'], text.startsWith('retry: 1000\n\n')]).toEqual([200, 'text/event-stream', true])
  const rows = rowsOf(events)
  expect(rows.map(({ id, __offset, __bucket }) => [id, __offset, __bucket])).toEqual([
    ['2', '1', 0],
    ['3', '0', 1],
  ])
  const [first] = events
  const again = await openTail(site.client.port, `${path}/log?offset=earliest&wait=200ms`, { lastEventId: first?.id ?? '' })
  expect(rowsOf(again.events).map(({ id }) => id)).toEqual(['3'])
  const ending = again.events.at(-1)
  expect([ending?.event, ending?.data]).toEqual(['end', '{"reason":"time"}'])
})

test('an event has at most 64 KiB or one row, and its cursor counts exactly its rows', async () => {
  const path = await makeTable(site.client, 'large')
  const rows = Array.from({ length: 40 }, (_, id) => ({ id, text: 'x'.repeat(id === 20 ? 200_000 : 9_000) }))
  await produce(site, path, rows)
  const { events } = await openTail(site.client.port, `${path}/log?bucket=0&offset=0&wait=100ms`)
  expect(rowsOf(events).map(({ id }) => Number(id))).toEqual(rows.map(({ id }) => id))
  const records = events.filter(({ event }) => event === 'records')
  expect(records.filter(({ data }) => data.length > 64 * 1024).map(({ data }) => JSON.parse(data).length)).toEqual([1])
  for (const { id, data } of records) {
    const last = Number(JSON.parse(data).at(-1).id)
    const { text } = await site.client.get(`${path}/log?cursor=${id}&limit=1`)
    expect(readLines(text).map((row) => Number(row.id))).toEqual(last === 39 ? [] : [last + 1])
  }
})

test('a filter moves the reader on without an event', async () => {
  const path = await makeTable(site.client, 'filtered')
  const tail = openTail(site.client.port, `${path}/log?bucket=0&wait=400ms&where=${encodeURIComponent('id = 7')}`)
  await pause(50)
  await produce(site, path, [{ id: 1 }, { id: 2 }])
  const { events, text } = await tail
  expect(rowsOf(events)).toEqual([])
  const ids = [...text.matchAll(/^id: (.+)$/gm)].map(([, id]) => id)
  expect((await site.client.get(`${path}/log?cursor=${ids.at(-1)}`)).headers['sluice-start-offset']).toBe('2')
})

test('what is wrong with the call is a status, not a stream', async () => {
  const path = await makeTable(site.client, 'wrong')
  for (const [query, status] of [
    ['where=nope', 400],
    ['cursor=x', 400],
    ['bucket=0&offset=7', 416],
    ['form=binlog', 400],
  ] as const)
    expect((await openTail(site.client.port, `${path}/log?${query}`)).status).toBe(status)
  expect((await openTail(site.client.port, `${path}x/log`)).status).toBe(404)
})

test('a tail of a table that is dropped ends and says so', async () => {
  const path = await makeTable(site.client, 'ends')
  const tail = openTail(site.client.port, `${path}/log`)
  await pause(50)
  await site.client.send('DELETE', path)
  expect((await tail).events).toEqual([{ event: 'end', id: expect.anything(), data: '{"reason":"dropped"}' }])
})

test('a tail goes on when columns are added and renamed', async () => {
  const path = await makeTable(site.client, 'evolves')
  const tail = openTail(site.client.port, `${path}/log?wait=5s`, { until: ({ data }) => data.includes('"id":"2"') })
  await pause(50)
  await produce(site, path, [{ id: 1, text: 'a' }])
  const change = { addColumns: [{ name: 'more', type: 'int' }], renameColumns: { text: 'name' } }
  expect((await site.client.send('PATCH', path, { json: change })).status).toBe(200)
  await produce(site, path, [{ id: 2, name: 'b', more: 3 }])
  expect(rowsOf((await tail).events)).toMatchObject([
    { id: '1', text: 'a' },
    { id: '2', name: 'b', more: 3 },
  ])
})

test('a server that stops ends its tails and answers who waits, at once', async () => {
  const own = await memorySite()
  const path = await makeTable(own.client, 'stops')
  const tails = Array.from({ length: 5 }, () => openTail(own.client.port, `${path}/log`))
  const fetch = own.client.get(`${path}/log?bucket=0&offset=latest&wait=20s`)
  await pause(100)
  expect(await own.running.stop(10_000)).toBe(true)
  for (const { events } of await Promise.all(tails)) expect(events.at(-1)?.data).toBe('{"reason":"drain"}')
  expect((await fetch).status).toBe(200)
  await own.close()
})

test('twenty tails over a restart miss nothing and see nothing twice', async () => {
  const first = await diskSite()
  const path = await makeTable(first.client, 'restart', { buckets: { count: 4 } })
  let { port } = first.client
  const total = 300
  const tails = Array.from({ length: 20 }, () =>
    followTail(
      () => port,
      `${path}/log?offset=earliest`,
      (rows) => rows.length >= total,
    ),
  )
  for (let id = 0; id < total / 2; id++) await produce(first, path, [{ id }])
  await first.running.stop()
  const second = await first.reopen()
  port = second.client.port
  for (let id = total / 2; id < total; id++) await produce(second, path, [{ id }])
  for (const rows of await Promise.all(tails))
    expect(rows.map(({ id }) => Number(id)).sort((a, b) => a - b)).toEqual(Array.from({ length: total }, (_, id) => id))
  await second.close()
  await first.close()
})

test('tails that nobody reads hold little, whatever the log holds, and the server still stops', async () => {
  const own = await memorySite()
  const path = await makeTable(own.client, 'unread')
  const rows = Array.from({ length: 300 }, (_, id) => ({ id, text: 'x'.repeat(1_000) }))
  const requests = 100
  for (let i = 0; i < requests; i++) await produce(own, path, rows)
  const before = bytesHeld()
  const sockets = Array.from({ length: 30 }, () => {
    const socket = createConnection(own.client.port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write(`GET ${path}/log?offset=earliest HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`)
    socket.pause()
    return socket
  })
  const sent = await rowsThatStand(own)
  expect(sent).toBeGreaterThanOrEqual(sockets.length)
  expect(sent).toBeLessThan(sockets.length * requests * rows.length)
  // The log once, which is kept for all readers, and for each tail a page: not the log for each, 900 MB.
  expect(bytesHeld() - before).toBeLessThan(requests * rows.length * 1_000 + sockets.length * 2 * 2 ** 20)
  expect((await own.client.get('/healthz')).status).toBe(200)
  await own.running.stop(500)
  await expect(fetch(`http://127.0.0.1:${own.client.port}/healthz`)).rejects.toThrow()
  for (const socket of sockets) socket.destroy()
  await own.close()
}, 60_000)

test('what tails that nobody reads hold counts among the bytes in flight, and is little where JSON is many times the size of a row', async () => {
  const own = await memorySite({ bytesInFlightMax: 4 * 2 ** 20 })
  const columns = Array.from({ length: 300 }, (_, i) => ({ name: `${'long name '.repeat(15)}${i}`, type: 'int' }))
  const path = await makeTable(own.client, 'wide', { columns: [{ name: 'id', type: 'bigint' }, ...columns] })
  await produce(
    own,
    path,
    Array.from({ length: 1_000 }, (_, id) => ({ id })),
  )
  const before = bytesHeld()
  const sockets = Array.from({ length: 40 }, () => {
    const socket = createConnection(own.client.port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write(`GET ${path}/log?offset=earliest HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`)
    socket.pause()
    return socket
  })
  const answers = async (status: number): Promise<void> => {
    while ((await own.client.get(path)).status !== status) await pause(100)
  }
  await answers(429)
  await pause(1_000)
  expect(bytesHeld() - before).toBeLessThan(sockets.length * 2 ** 20)
  for (const socket of sockets) socket.destroy()
  await answers(200)
  await own.close()
}, 60_000)

/** By this process, which the server is in, after what can go is gone. */
function bytesHeld(): number {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Rows that tails took, once they take no more. */
async function rowsThatStand(on: Site): Promise<number> {
  for (let before = -1; ; ) {
    const { text } = await on.client.get('/metrics')
    const rows = Number(/^sluice_rows_fetched_total ([0-9]+)/m.exec(text)?.[1])
    if (rows === before && rows > 0) return rows
    before = rows
    await pause(500)
  }
}
