/** Tables whose lake is in a catalog that is not ours, by calls alone, against a strict one over HTTP. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock, systemRandom } from '../../functions/system.ts'
import { objectsUnder } from '../../stores/catalog/objects-under.ts'
import { openCatalogs } from '../../stores/catalog/open.ts'
import { type Fault, type ServedCatalog, servedCatalog } from '../../stores/catalog/serving.case.ts'
import { wireDefaults } from '../../stores/catalog/wire.ts'
import { retryDefaults } from '../../stores/decorators/retry.ts'
import { lines, makeTable, memorySite, ndjson, type Site, simpleColumns } from './harness.ts'

let other: ServedCatalog
let site: Site
let defects = 0
const timeoutMs = 1_000

beforeAll(async () => {
  other = await servedCatalog({ knows: ({ headers }) => headers.authorization === 'Bearer hush' })
  site = await memorySite({
    sweepIntervalMs: 500,
    catalogs: (objects) =>
      openCatalogs({
        text: JSON.stringify({
          other: { uri: other.uri, auth: { type: 'bearer', tokenEnv: 'HUSH' } },
          stranger: { uri: other.uri, auth: { type: 'bearer', tokenEnv: 'WRONG' } },
          down: { uri: 'http://127.0.0.1:9' },
          away: { uri: other.uri, location: 's3://elsewhere/lake', auth: { type: 'bearer', tokenEnv: 'HUSH' } },
        }),
        environment: { HUSH: 'hush', WRONG: 'wrong' },
        objectsAt: objectsUnder(objects),
        clock: systemClock,
        limits: { ...wireDefaults, timeoutMs },
        retry: { ...retryDefaults, attemptsMax: 2, clock: systemClock, random: systemRandom },
      }),
  })
})

afterAll(async () => {
  // A job that failed is logged, and shown in the table's state.
  expect(site.defects).toHaveLength(defects)
  await site.close()
  await other.close()
})

const lakeIn = (catalog: string, more: Record<string, string> = {}) => ({
  options: { 'lake.format': 'iceberg', 'lake.catalog': catalog, ...more },
})
const put = (name: string, more: object) => site.client.put(`/v1/databases/d/tables/${name}`, { columns: simpleColumns, ...more })
interface Metadata {
  readonly 'current-snapshot-id': bigint
  readonly schemas: readonly { readonly fields: readonly { readonly name: string }[] }[]
}
const metadataOf = (table: string) => other.state.load({ namespace: ['d'], table })?.metadata as Metadata

test('rows are tiered to the table of the other catalog, and the state says so', async () => {
  const path = await makeTable(site.client, 'events', lakeIn('other'))
  const rows = Array.from({ length: 100 }, (_, id) => ({ id, text: `row ${id}` }))
  await site.client.send('POST', `${path}/records`, { body: lines(rows), headers: ndjson })
  const tiered = await site.client.send('POST', `${path}/tier?wait=20s`)
  expect(tiered.status, tiered.text).toBe(200)
  expect(tiered.json).toMatchObject({
    lagRows: 0,
    lastError: null,
    snapshot: String(metadataOf('events')['current-snapshot-id']),
  })
  expect((await site.client.get(`${path}/offsets`)).json.buckets[0]).toMatchObject({ tierPoint: '100' })
  expect((await site.client.get(path)).json.options).toMatchObject({ 'lake.catalog': 'other' })
  expect((await site.client.get('/iceberg/v1/namespaces/d/tables')).json.identifiers).toEqual([])
  expect((await site.client.get('/iceberg/v1/namespaces/d/tables/events')).status).toBe(404)
})

test.each<[string, Fault, string]>([
  ['fails', { when: 'before', status: 500 }, 'catalog other answered 500'],
  ['no longer takes our credentials', { when: 'before', status: 401 }, 'refused our credentials (401)'],
  ['does not answer in time', 'silence', `did not answer in ${timeoutMs} ms`],
])(
  'a catalog that %s stops the lake alone, shows why, and the lake goes on by itself',
  async (what, fault, message) => {
    const path = await makeTable(
      site.client,
      `flaky_${what.replaceAll(' ', '_')}`,
      lakeIn('other', { 'lake.freshness': '100ms' }),
    )
    const tierOf = async () => (await site.client.get(`${path}/tier`)).json
    await site.client.send('POST', `${path}/records`, { body: '{"id":1}', headers: ndjson })
    await site.client.send('POST', `${path}/tier`)
    await expect.poll(tierOf, { timeout: 10_000 }).toMatchObject({ state: 'idle', lagRows: 0, lastError: null })
    other.faults.push(...Array.from({ length: 100 }, () => fault))
    await site.client.send('POST', `${path}/records`, { body: '{"id":2}', headers: ndjson })
    await expect.poll(tierOf, { timeout: 20_000 }).toMatchObject({ state: 'failing', lagRows: 1 })
    expect((await tierOf()).lastError.message).toContain(message)
    expect((await site.client.send('POST', `${path}/records`, { body: '{"id":3}', headers: ndjson })).status).toBe(200)
    expect((await site.client.get(`${path}/log?bucket=0&offset=0`)).headers['sluice-rows']).toBe('3')
    other.faults.length = 0
    await expect.poll(tierOf, { timeout: 30_000, interval: 200 }).toMatchObject({ state: 'idle', lastError: null, lagRows: 0 })
    expect((await site.client.get(`${path}/offsets`)).json.buckets[0]).toMatchObject({ tierPoint: '3' })
    defects = site.defects.length
  },
  60_000,
)

test.each([
  ['a catalog that nobody named', lakeIn('othr'), 400, 'lake.catalog=othr is not a catalog of this deployment (it has other'],
  ['a catalog that is down', lakeIn('down'), 503, 'catalog'],
  ['a catalog that refuses us', lakeIn('stranger'), 503, 'refused our credentials (401)'],
  [
    'a place that we cannot write',
    lakeIn('away'),
    400,
    'where this deployment cannot write: give it a location below memory:///',
  ],
  ['a namespace without a catalog', { options: { 'lake.format': 'iceberg', 'lake.namespace': 'n' } }, 400, 'name a catalog'],
  ['a table by the name of another path', lakeIn('other', { 'lake.table': '..' }), 400, 'option lake.table'],
  ['a catalog without a lake', { options: { 'lake.catalog': 'other' } }, 400, 'lake.format=iceberg'],
  ['an option that is misspelt', { options: { 'lake.catalogue': 'other' } }, 400, 'did you mean \\"lake.catalog\\"?'],
])('%s is refused at create', async (_name, more, status, message) => {
  await site.client.put('/v1/databases/d')
  const answer = await put('refused', more)
  expect(answer.status, answer.text).toBe(status)
  expect(answer.text).toContain(message)
  expect((await site.client.get('/v1/databases/d/tables/refused')).status).toBe(404)
})

test('a table that is there takes rows on request alone, and only if it fits', async () => {
  const name = { namespace: ['d'], table: 'theirs' }
  const schema = {
    type: 'struct',
    fields: [
      { id: 1, name: 'text', required: false, type: 'string' },
      { id: 2, name: 'id', required: true, type: 'long' },
      { id: 3, name: 'note', required: false, type: 'string' },
    ],
  }
  other.state.create(name, { schema, properties: { 'format-version': '2' } })
  const refused = await put('theirs', lakeIn('other'))
  expect([refused.status, refused.json.error.message]).toEqual([409, expect.stringContaining('say lake.table=theirs')])
  const odd = await put('odd', {
    ...lakeIn('other', { 'lake.table': 'theirs' }),
    columns: [...simpleColumns, { name: 'note', type: 'int' }],
  })
  expect([odd.status, odd.json.error.facts]).toEqual([400, { column: 'note' }])
  const path = await makeTable(site.client, 'feeder', lakeIn('other', { 'lake.table': 'theirs' }))
  await site.client.send('POST', `${path}/records`, { body: '{"id":1,"text":"one"}', headers: ndjson })
  const tiered = await site.client.send('POST', `${path}/tier?wait=20s`)
  expect(tiered.status, tiered.text).toBe(200)
  const { fields } = metadataOf('theirs').schemas.at(-1) ?? {}
  expect(fields?.map((field) => field.name)).toEqual(['text', 'id', 'note', '__bucket', '__offset', '__timestamp'])
})

test('where the lake is cannot be changed later', async () => {
  const path = await makeTable(site.client, 'fixed', lakeIn('other'))
  for (const setOptions of [{ 'lake.catalog': null }, { 'lake.table': 'elsewhere' }]) {
    expect((await site.client.send('PATCH', path, { json: { setOptions } })).status).toBe(400)
  }
  expect((await site.client.send('PATCH', path, { json: { setOptions: { 'lake.freshness': '5s' } } })).status).toBe(200)
})
