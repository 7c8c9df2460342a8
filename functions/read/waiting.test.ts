/** How long a host holds a call, and what it says instead, on a clock that moves as it is slept on. */
import { expect, test } from 'vitest'
import { media } from '../../contract/media.ts'
import { joined, utf8Text } from '../../core/kernel/bytes.ts'
import { Kv } from '../../core/kv/kv.ts'
import { requestOf, type TestWorld, testLog, testTable, testWorld } from '../../core/log/world.case.ts'
import { Counter } from '../../stores/decorators/count.ts'
import { inlineParquet } from '../../stores/parquet/inline.ts'
import { lambdaHandler } from '../lambda.ts'
import { Meter } from '../meter.ts'
import { TableCache } from '../tables.ts'
import { type FunctionWorld, lambdaWaits, processWaits, type Waits } from '../world.ts'
import { readHandlers } from './handlers.ts'
import { fetchLog } from './log.ts'

const params = { db: 'd', table: 't', partition: '' }

function worldOf(core: TestWorld, waits: Waits): FunctionWorld {
  const own = { parquet: inlineParquet(), meter: new Meter(), counter: new Counter(), rotate: () => 0 }
  const log = testLog(core)
  return { ...core, ...own, log, kv: new Kv(core, log), tables: new TableCache(core), waits, engineOptions: {} }
}

interface Asked {
  readonly query: Parameters<typeof fetchLog>[0]['query']
  readonly wants?: string
}

const ask = (world: FunctionWorld, { query, wants = media.ndjson }: Asked) =>
  fetchLog(
    { params, query, wants, headers: {}, signal: new AbortController().signal } as unknown as Parameters<typeof fetchLog>[0],
    world,
  )

test.each([
  ['a process', processWaits, 20_000],
  ['a function', lambdaWaits, 1_000],
])('%s holds a fetch for %s ms at most', async (_, waits, heldMs) => {
  const core = testWorld()
  await testTable(core)
  const began = core.time.now
  const { headers } = await ask(worldOf(core, waits), { query: { bucket: '0', offset: 'latest', wait: 20_000 } })
  expect([core.time.now - began, headers['Sluice-Rows']]).toEqual([heldMs, '0'])
})

test('a function says when to ask again: a tenth of the time since the last row, a quarter of a second to five', async () => {
  const core = testWorld()
  const table = await testTable(core)
  const world = worldOf(core, lambdaWaits)
  await world.log.append(table, requestOf([1]))
  const pollAfter = async () => (await ask(world, { query: { offset: 'latest' } })).headers['Sluice-Poll-After']
  const told: (string | undefined)[] = []
  for (const ms of [0, 2_500, 10_000, 20_000, 3_600_000]) {
    core.time.now += ms
    told.push(await pollAfter())
  }
  expect(told).toEqual(['250', '250', '1250', '3250', '5000'])
  expect((await ask(world, { query: { offset: 'earliest' } })).headers['Sluice-Poll-After']).toBeUndefined()
  expect((await ask(worldOf(core, processWaits), { query: { offset: 'latest' } })).headers['Sluice-Poll-After']).toBeUndefined()
})

test('events of a function end with the first rows, or after ten seconds, and never hold more', async () => {
  const core = testWorld()
  const table = await testTable(core)
  const world = worldOf(core, lambdaWaits)
  await world.log.append(table, requestOf([1, 2]))
  const eventsOf = async (offset: string): Promise<string> => {
    const { stream, body } = await ask(world, { query: { offset }, wants: media.sse })
    let text = utf8Text(joined(body))
    for await (const chunk of stream ?? []) text += utf8Text(chunk)
    return text
  }
  const began = core.time.now
  const rows = await eventsOf('earliest')
  expect([
    rows.match(/^event: records$/gm)?.length,
    rows.endsWith('event: end\ndata: {"reason":"time"}\n\n'),
    core.time.now,
  ]).toEqual([1, true, began])
  expect(await eventsOf('latest')).toContain('event: end')
  expect(core.time.now - began).toBe(10_000)
})

test('a function that is asked for events answers them as one text, and goes on behind the last of them when it is asked again', async () => {
  const core = testWorld()
  const table = await testTable(core)
  const world = worldOf(core, lambdaWaits)
  const handle = lambdaHandler(readHandlers, async () => world)
  const path = '/v1/databases/d/tables/t/log'
  const eventsAfter = async (lastEventId: string) => {
    const headers = { accept: media.sse, ...(lastEventId !== '' && { 'last-event-id': lastEventId }) }
    const http = { method: 'GET', path }
    const event = { version: '2.0', rawPath: path, rawQueryString: 'offset=earliest', headers, requestContext: { http } } as const
    const { statusCode, headers: answered, body, isBase64Encoded } = await handle(event, {})
    expect([statusCode, answered['Content-Type'], isBase64Encoded]).toEqual([200, media.sse, false])
    return { body, lastId: [...body.matchAll(/^id: (.+)$/gm)].at(-1)?.[1] ?? '', ends: body.endsWith('{"reason":"time"}\n\n') }
  }
  await world.log.append(table, requestOf([1, 2]))
  const first = await eventsAfter('')
  await world.log.append(table, requestOf([3]))
  const second = await eventsAfter(first.lastId)
  const idsIn = (body: string) => [...body.matchAll(/"__offset":"([0-9]+)"/g)].map(([, offset]) => offset)
  expect([idsIn(first.body), first.ends, idsIn(second.body), second.ends]).toEqual([['0', '1'], true, ['2'], true])
})

test('a tail of a process says every ten seconds that it is alive, and ends after 55', async () => {
  const core = testWorld()
  await testTable(core)
  const began = core.time.now
  const { stream } = await ask(worldOf(core, processWaits), { query: {}, wants: media.sse })
  const alive: number[] = []
  for await (const chunk of stream ?? []) if (utf8Text(chunk) === ': alive\n\n') alive.push(core.time.now - began)
  expect(alive).toEqual([0, 10_000, 20_000, 30_000, 40_000, 50_000, 55_000])
})
