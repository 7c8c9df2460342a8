/** The client library against a server of its own: what is lost, what is doubled, in which order. */
import { afterEach, expect, test } from 'vitest'
import type { Produced } from '../../client/answers.ts'
import { SluiceClient } from '../../client/client.ts'
import type { Fetch } from '../../client/request.ts'
import { diskSite, memorySite, type Site, simpleColumns } from './harness.ts'

const sites: Site[] = []
afterEach(async () => {
  for (const site of sites.splice(0)) await site.close()
})
const opened = async (making: Promise<Site>): Promise<Site> => {
  const site = await making
  sites.push(site)
  return site
}

/** Goes to whichever server runs now. */
function movingFetch(url: () => string): Fetch {
  return (input, init) => fetch(input.replace('http://sluice', url()), init)
}

async function tableOn(client: SluiceClient, buckets: object): Promise<void> {
  await client.createDatabase('d')
  await client.createTable('d', 't', { columns: simpleColumns, buckets })
}

async function readAll(client: SluiceClient) {
  const rows = []
  for await (const batch of client.fetch('d', 't', { follow: false, limit: 100 })) rows.push(...batch.rows)
  return rows
}

test('a server that restarts in the middle loses and doubles nothing, written or read', async () => {
  let site = await opened(diskSite())
  const client = new SluiceClient({ url: 'http://sluice', fetch: movingFetch(() => site.running.url) })
  await tableOn(client, { count: 4, key: ['id'] })
  const producer = await client.producer('d', 't', { lanes: 3, batchBytes: 2_000, lingerMs: 1 })
  const ending = new AbortController()
  const read: string[] = []
  const reading = (async () => {
    for await (const { rows } of client.fetch('d', 't', { limit: 50, waitMs: 1_000, signal: ending.signal })) {
      for (const row of rows) read.push(String(row['text']))
      if (read.length >= 3_000) ending.abort()
    }
  })()
  for (let n = 0; n < 3_000; n++) {
    await producer.write({ id: BigInt(n % 40), text: `${n}` })
    if (n % 1_000 !== 500) continue
    const before = site
    await before.running.stop()
    site = await opened(before.reopen())
  }
  await producer.close()
  await reading
  expect(read.toSorted()).toEqual(Array.from({ length: 3_000 }, (_, n) => `${n}`).toSorted())
  const byKey = new Map<bigint, number[]>()
  for (const { id, text } of await readAll(client)) byKey.set(id as bigint, [...(byKey.get(id as bigint) ?? []), Number(text)])
  expect(byKey.size).toBe(40)
  for (const numbers of byKey.values()) expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
}, 60_000)

test('a retry after a lost answer is a duplicate, and its rows are there once', async () => {
  const { running } = await opened(memorySite())
  let lost = 0
  const losing: Fetch = async (input, init) => {
    const response = await fetch(input, init)
    if (!input.endsWith('/records') || lost > 0) return response
    lost++
    throw new TypeError('fetch failed')
  }
  const client = new SluiceClient({ url: running.url, fetch: losing })
  await tableOn(client, { count: 2 })
  const duplicates: boolean[] = []
  const producer = await client.producer('d', 't', {
    format: 'arrow',
    onAcked: ({ produced }) => duplicates.push(produced.duplicate),
  })
  await producer.write([{ id: 1, text: 'a' }, { id: 2 }])
  await producer.close()
  expect(duplicates).toEqual([true])
  expect((await readAll(client)).map(({ id, text }) => [id, text])).toEqual([
    [1n, 'a'],
    [2n, null],
  ])
})

test.each(['ndjson', 'arrow'] as const)('a lane has the buckets of its own, by the hash of the server: %s', async (format) => {
  const { running } = await opened(memorySite())
  const lanes = new Map<string, Set<number>>()
  const watching: Fetch = async (input, init) => {
    const response = await fetch(input, init)
    if (!input.endsWith('/records')) return response
    const id = new Headers(init?.headers).get('Producer-Id') ?? ''
    const seen = lanes.get(id) ?? new Set()
    lanes.set(id, seen)
    const { buckets } = (await response.clone().json()) as Produced
    for (const { bucket } of buckets) seen.add(bucket)
    return response
  }
  const client = new SluiceClient({ url: running.url, fetch: watching })
  await tableOn(client, { count: 5, key: ['text'] })
  const producer = await client.producer('d', 't', { lanes: 2, producerId: 'p', format })
  for (let id = 0; id < 200; id++) await producer.write({ id, text: `é ${id}` })
  await producer.close()
  expect([...lanes].map(([id, seen]) => [id, [...seen].sort()]).sort()).toEqual([
    ['p-0', [0, 2, 4]],
    ['p-1', [1, 3]],
  ])
  expect(await readAll(client)).toHaveLength(200)
})

test('a tail shows rows as they come, and Arrow is a stream', async () => {
  const { running } = await opened(memorySite())
  const client = new SluiceClient({ url: running.url })
  await tableOn(client, { count: 2, key: ['id'] })
  const producer = await client.producer('d', 't')
  const ending = new AbortController()
  const tail = client.tail('d', 't', { from: 'earliest', signal: ending.signal })
  for (const id of [1n, 2n, 3n]) {
    await producer.write({ id })
    expect((await tail.next()).value?.rows).toMatchObject([{ id, text: null }])
  }
  ending.abort()
  await tail.next()
  const found = []
  for await (const { rows, bytes } of client.fetch('d', 't', { format: 'arrow', follow: false, columns: ['id'] }))
    found.push([rows, bytes.length > 100])
  expect(found.reduce((sum, [rows]) => sum + Number(rows), 0)).toBe(3)
})

test('tables are made, changed, listed and dropped', async () => {
  const { running } = await opened(memorySite())
  const client = new SluiceClient({ url: running.url })
  await tableOn(client, { count: 2 })
  const { schemaId } = await client.alterTable('d', 't', { addColumns: [{ name: 'n', type: 'int' }] }, 1)
  expect(schemaId).toBe(2)
  await expect(client.alterTable('d', 't', { dropColumns: ['n'] }, 1)).rejects.toMatchObject({
    code: 'changed',
    action: 'refresh',
  })
  expect([await client.listDatabases(), await client.listTables('d')]).toEqual([['d'], ['t']])
  expect((await client.offsets('d', 't')).map(({ bucket, end }) => [bucket, end])).toEqual([
    [0, '0'],
    [1, '0'],
  ])
  expect(await client.tierState('d', 't')).toMatchObject({ state: 'none' })
  await client.dropTable('d', 't')
  await expect(client.describeTable('d', 't')).rejects.toMatchObject({ code: 'not-found', status: 404 })
})
