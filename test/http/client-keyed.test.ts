/** The client library and tables with a primary key, against a server of its own. */
import { setTimeout } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { SluiceClient } from '../../client/client.ts'
import type { Row } from '../../client/values.ts'
import { diskSite, memorySite, type Site } from './harness.ts'

const sites: Site[] = []
afterEach(async () => {
  for (const site of sites.splice(0)) await site.close()
})
const opened = async (making: Promise<Site>): Promise<Site> => {
  const site = await making
  sites.push(site)
  return site
}

const keyed = {
  columns: [
    { name: 'city', type: 'string' },
    { name: 'day', type: 'date' },
    { name: 'flights', type: 'bigint' },
    { name: 'note', type: 'string' },
  ],
  primaryKey: ['city', 'day'],
  buckets: { count: 4, key: ['city'] },
}
const day = '2026-11-21'

async function clientOn(url: string, table: object = keyed): Promise<SluiceClient> {
  const client = new SluiceClient({ url })
  await client.createDatabase('d')
  await client.createTable('d', 't', table as typeof keyed)
  return client
}

async function rowsOf(client: SluiceClient, limit = 1_000): Promise<readonly Row[]> {
  const found: Row[] = []
  for await (const { rows } of client.rows('d', 't', { limit })) found.push(...rows)
  return found
}

const keyOf = ({ city, day }: Row): string => `${city} ${day}`

/** What is left of a changelog when every change is made. */
async function fold(client: SluiceClient): Promise<ReadonlyMap<string, Row>> {
  const rows = new Map<string, Row>()
  for await (const { changes } of client.changelog('d', 't', { follow: false, limit: 100 })) {
    for (const { kind, row } of changes) {
      if (kind === '+I') expect(rows.has(keyOf(row))).toBe(false)
      if (kind === '-U' || kind === '-D') expect(rows.get(keyOf(row))).toEqual(row)
      if (kind === '-D') rows.delete(keyOf(row))
      else if (kind !== '-U') rows.set(keyOf(row), row)
    }
  }
  return rows
}

test.each(['ndjson', 'arrow'] as const)(
  'rows as %s are put, changed in part, emptied and deleted, and found as they are',
  async (format) => {
    const { running } = await opened(memorySite())
    const client = await clientOn(running.url)
    const keys = ['oslo', 'rome', 'ulm'].map((city) => ({ city, day }))
    await client.upsert(
      'd',
      't',
      keys.map((key, n) => ({ ...key, flights: BigInt(n), note: 'new' })),
      { format },
    )
    await client.upsert('d', 't', { city: 'oslo', day, flights: 2n ** 60n }, { format, columns: ['city', 'day', 'flights'] })
    await client.delete('d', 't', { city: 'rome', day }, { format, columns: ['city', 'day', 'note'] })
    await client.delete('d', 't', { city: 'ulm', day }, { format })
    const [oslo, rome, ulm] = await Promise.all(keys.map((key) => client.lookup('d', 't', key)))
    expect(oslo).toEqual({ city: 'oslo', day, flights: 2n ** 60n, note: 'new' })
    expect(rome).toEqual({ city: 'rome', day, flights: 1n, note: null })
    expect(ulm).toBe(undefined)
    expect(await client.lookupPrefix('d', 't', { city: 'oslo' }, { columns: ['note'] })).toEqual([{ note: 'new' }])
    expect(await client.rowCount('d', 't')).toBe(2n)
    expect(new Map((await rowsOf(client)).map((row) => [keyOf(row), row]))).toEqual(await fold(client))
  },
)

test('one wrong key among many is the error of its caller, over HTTP too', async () => {
  const { running } = await opened(memorySite())
  const client = await clientOn(running.url)
  await client.upsert('d', 't', { city: 'oslo', day, flights: 1n })
  const keys: Row[] = [{ city: 'oslo', day }, { city: 'oslo' }, { cty: 'oslo', day }, { city: 'rome', day }]
  const settled = await Promise.allSettled(keys.map((key) => client.lookup('d', 't', key)))
  expect(settled.map((each) => (each.status === 'fulfilled' ? each.value?.['flights'] : each.reason.code))).toEqual([
    1n,
    'invalid-rows',
    'unknown-field',
    undefined,
  ])
})

test('lookups of one key that insert get one number, whoever asks', async () => {
  const { running } = await opened(memorySite())
  const columns = [
    { name: 'city', type: 'string' },
    { name: 'id', type: 'bigint', autoIncrement: true },
  ]
  const client = await clientOn(running.url, { columns, primaryKey: ['city'] })
  const ask = (city: string) => client.lookup('d', 't', { city }, { insert: true })
  const [a, b, c] = await Promise.all(['oslo', 'oslo', 'rome'].map(ask))
  expect([a, new Set([a?.['id'], c?.['id']]).size]).toEqual([b, 2])
  await client.upsert('d', 't', { city: 'ulm' }, { format: 'arrow' })
  expect(await ask('oslo')).toEqual(a)
  expect(await client.rowCount('d', 't')).toBe(3n)
})

test('sums count each row once while the server restarts, and lookups and rows go on', async () => {
  let site = await opened(diskSite())
  const url = () => site.running.url
  const client = new SluiceClient({
    url: 'http://sluice',
    fetch: (input, init) => fetch(input.replace('http://sluice', url()), init),
  })
  await client.createDatabase('d')
  await client.createTable('d', 't', { ...keyed, options: { 'merge-engine': 'aggregation', 'fields.flights.agg': 'sum' } })
  const producer = await client.producer('d', 't', { lanes: 3, batchBytes: 2_000, lingerMs: 1 })
  let lookups = 0
  let isOver = false
  const watching = (async () => {
    for (let last = 0n; !isOver; lookups++) {
      const row = await client.lookup('d', 't', { city: 'c1', day })
      const flights = (row?.['flights'] ?? 0n) as bigint
      expect(flights).toBeGreaterThanOrEqual(last)
      last = flights
    }
  })()
  for (let n = 0; n < 3_000; n++) {
    await producer.write({ city: `c${n % 30}`, day, flights: 1n })
    if (n % 1_000 !== 500) continue
    const before = site
    await before.running.stop()
    site = await opened(before.reopen())
    for (const seen = lookups; lookups < seen + 2; ) await setTimeout(5)
  }
  await producer.close()
  isOver = true
  await watching
  const scan = client.rows('d', 't', { limit: 7 })
  const seen = [...((await scan.next()).value?.rows ?? [])]
  const before = site
  await before.running.stop()
  site = await opened(before.reopen())
  for await (const { rows } of scan) seen.push(...rows)
  expect(seen.map(({ flights }) => flights)).toEqual(new Array(30).fill(100n))
  expect(new Map(seen.map((row) => [keyOf(row), row]))).toEqual(await fold(client))
}, 60_000)

test('a live changelog says what comes', async () => {
  const { running } = await opened(memorySite())
  const client = await clientOn(running.url, { ...keyed, buckets: { count: 1, key: ['city'] } })
  await client.upsert('d', 't', { city: 'oslo', day })
  const ending = new AbortController()
  const changes = client.changelog('d', 't', { live: true, from: 'earliest', signal: ending.signal })
  const next = async () =>
    (await changes.next()).value?.changes.map(({ kind, offset }: { kind: string; offset: bigint }) => [kind, offset])
  expect(await next()).toEqual([['+I', 0n]])
  await client.upsert('d', 't', { city: 'oslo', day, note: 'n' })
  expect(await next()).toEqual([
    ['-U', 1n],
    ['+U', 2n],
  ])
  await client.delete('d', 't', { city: 'oslo', day })
  expect(await next()).toEqual([['-D', 3n]])
  ending.abort()
  await changes.next()
  const row = { city: 'oslo', day, flights: null }
  const whole = []
  for await (const { changes } of client.binlog('d', 't', { follow: false, limit: 1 })) whole.push(...changes)
  expect(whole.map(({ kind, before, after, offset }) => ({ kind, before, after, offset }))).toEqual([
    { kind: '+I', before: null, after: { ...row, note: null }, offset: 0n },
    { kind: '+U', before: { ...row, note: null }, after: { ...row, note: 'n' }, offset: 2n },
    { kind: '-D', before: { ...row, note: 'n' }, after: null, offset: 3n },
  ])
})
