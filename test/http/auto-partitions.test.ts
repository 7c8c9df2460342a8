/** Auto partitions over HTTP: there when the table is, kept to their periods, altered live. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { diskSite, lines, ndjson, type Site } from './harness.ts'

let site: Site
beforeAll(async () => {
  site = await diskSite()
  await site.client.put('/v1/databases/d')
})
afterAll(async () => {
  await site.close()
})

const columns = [
  { name: 'id', type: 'bigint', nullable: false },
  { name: 'day', type: 'string' },
  { name: 'city', type: 'string' },
]
const auto = (more: Readonly<Record<string, string>> = {}) => ({ 'auto-partition.enabled': 'true', ...more })
const pathOf = (name: string): string => `/v1/databases/d/tables/${name}`
const create = (name: string, options: Readonly<Record<string, string>>, more: object = {}) =>
  site.client.put(pathOf(name), { columns, partitionBy: ['day'], options, ...more })
const alter = (name: string, setOptions: Readonly<Record<string, string | null>>) =>
  site.client.send('PATCH', pathOf(name), { json: { setOptions } })
const listed = async (name: string): Promise<string[]> =>
  (await site.client.get(`${pathOf(name)}/partitions?limit=1000`)).json.partitions
const produce = (name: string, rows: readonly object[]) =>
  site.client.send('POST', `${pathOf(name)}/records`, { body: lines(rows), headers: ndjson })

const dayMs = 86_400_000
const dayOf = (days: number): string => new Date(Date.now() + days * dayMs).toISOString().slice(0, 10).replaceAll('-', '')

/** A test that begins before midnight and ends after it begins again. */
async function withinOneDay(check: () => Promise<void>): Promise<void> {
  const before = dayOf(0)
  try {
    await check()
  } catch (error) {
    if (dayOf(0) === before) throw error
    await check()
  }
}

test('today and tomorrow are there when the table is, and the options say what holds', async () => {
  await withinOneDay(async () => {
    const name = `days${dayOf(0)}`
    expect((await create(name, auto())).status).toBe(201)
    expect(await listed(name)).toEqual([`day=${dayOf(0)}`, `day=${dayOf(1)}`])
  })
  const { options } = (await create('again', auto())).json
  expect(options).toMatchObject({
    'auto-partition.enabled': 'true',
    'auto-partition.time-unit': 'day',
    'auto-partition.time-zone': 'UTC',
    'auto-partition.num-precreate': '2',
    'auto-partition.num-retention': '7',
  })
  expect((await site.client.put(pathOf('again'), { columns, partitionBy: ['day'], options })).status).toBe(200)
})

test('rows make the partitions of days that are kept, and a request with another day makes none', async () => {
  await create('rows', auto({ 'auto-partition.num-precreate': '0', 'auto-partition.num-retention': '2' }))
  await withinOneDay(async () => {
    expect(
      (
        await produce('rows', [
          { id: 1, day: dayOf(-1) },
          { id: 2, day: dayOf(5) },
        ])
      ).status,
    ).toBe(200)
    for (const day of [dayOf(-3), '2026-11-27', 'x', null]) {
      const refused = await produce('rows', [
        { id: 3, day: dayOf(0) },
        { id: 4, day },
      ])
      expect([refused.status, refused.json.error.code, refused.json.error.effect]).toEqual([400, 'invalid-name', 'none'])
    }
    expect(await listed('rows')).toEqual([`day=${dayOf(-1)}`, `day=${dayOf(5)}`])
  })
})

describe('options are altered live', () => {
  test('a table that had none gets its first partitions, and a longer retention takes older days', async () => {
    await withinOneDay(async () => {
      const name = `live${dayOf(0)}`
      await create(name, {})
      await produce(name, [{ id: 1, day: 'anything' }])
      expect((await alter(name, auto({ 'auto-partition.num-precreate': '1' }))).status).toBe(200)
      expect(await listed(name)).toEqual([`day=${dayOf(0)}`, 'day=anything'])
      expect((await site.client.put(`${pathOf(name)}/partitions/day=${dayOf(-20)}`)).json.error.message).toContain(
        'num-retention',
      )
      expect((await alter(name, { 'auto-partition.num-retention': '30' })).status).toBe(200)
      expect((await site.client.put(`${pathOf(name)}/partitions/day=${dayOf(-20)}`)).status).toBe(201)
    })
  })

  test('the sweep drops what a shorter retention gives up', async () => {
    await create('shorter', auto({ 'auto-partition.num-retention': '30', 'auto-partition.num-precreate': '1' }))
    const old = dayOf(-20)
    expect((await site.client.put(`${pathOf('shorter')}/partitions/day=${old}`)).status).toBe(201)
    expect((await alter('shorter', { 'auto-partition.num-retention': null })).status).toBe(200)
    await expect.poll(() => listed('shorter'), { timeout: 20_000 }).not.toContain(`day=${old}`)
    expect(await listed('shorter')).toHaveLength(1)
  })

  test('what the names of the partitions depend on stays while it is in force', async () => {
    await create('fixed', auto())
    for (const [option, value] of [
      ['auto-partition.time-unit', 'hour'],
      ['auto-partition.time-zone', 'Europe/Berlin'],
      ['auto-partition.key', 'day'],
    ] as const) {
      const refused = await alter('fixed', { [option]: value })
      expect([refused.status, refused.json.error.facts.option]).toEqual([400, option])
    }
    await alter('fixed', { 'auto-partition.enabled': 'false' })
    expect((await alter('fixed', { 'auto-partition.time-unit': 'month', 'auto-partition.enabled': 'true' })).status).toBe(200)
  })
})

describe('what cannot be is refused with the option and its fix', () => {
  test.each([
    ['a table without partitions', auto(), { partitionBy: [] }, 'auto-partition.enabled', 'partitionBy'],
    ['several levels without a key', auto(), { partitionBy: ['day', 'city'] }, 'auto-partition.key', 'day, city'],
    ['a key that is no level', auto({ 'auto-partition.key': 'dya' }), {}, 'auto-partition.key', 'did you mean \\"day\\"'],
    [
      'partitions of several levels ahead',
      auto({ 'auto-partition.key': 'day', 'auto-partition.num-precreate': '1' }),
      { partitionBy: ['day', 'city'] },
      'auto-partition.num-precreate',
      'use 0',
    ],
    ['a key that is no text', auto(), { partitionBy: ['id'] }, 'auto-partition.enabled', 'use string'],
  ])('%s', async (_what, options, more, option, fix) => {
    const { status, json, text } = await create('refused', options, more)
    expect([status, json.error.code, json.error.facts.option]).toEqual([400, 'invalid-schema', option])
    expect(text).toContain(fix)
    expect((await site.client.get(pathOf('refused'))).status).toBe(404)
  })
})

test('several levels have a key and are made by rows', async () => {
  const { status, json } = await create('levels', auto({ 'auto-partition.key': 'day' }), { partitionBy: ['city', 'day'] })
  expect([status, json.options['auto-partition.num-precreate']]).toEqual([201, '0'])
  await withinOneDay(async () => {
    expect((await produce('levels', [{ id: 1, day: dayOf(0), city: 'Ulm' }])).status).toBe(200)
    expect(await listed('levels')).toContain(`city=Ulm/day=${dayOf(0)}`)
    expect((await produce('levels', [{ id: 1, day: 'Ulm', city: dayOf(0) }])).status).toBe(400)
  })
})
