/** Lookups by key and by prefix over HTTP, of what was just written and of what was folded. */
import { tableFromIPC } from 'apache-arrow'
import { expect, test } from 'vitest'
import { diskSite, lines, makeTable, ndjson, siteOfFile } from './harness.ts'
import { arrow, callsOf, keyed, oslo } from './keyed-flights.ts'

const site = await siteOfFile()
const { send } = callsOf(site)

test('a key is the number that was written, also where a double would be another one', async () => {
  const path = await makeTable(site.client, 'exact', { columns: [{ name: 'x', type: 'decimal(38,20)' }], primaryKey: ['x'] })
  const ask = (numbers: readonly string[], insert = false) =>
    site.client.send('POST', `${path}/lookup`, {
      body: `{"keys":[${numbers.map((x) => `{"x":${x}}`).join()}],"insert":${insert}}`,
      headers: { 'Content-Type': 'application/json' },
    })
  await send(path, [{ x: '0.1' }, { x: '12345678901234568' }])
  const numbers = ['0.10000000000000001', '0.1', '10e-2', '12345678901234567.89', '12345678901234568.0', '1e-20']
  const shown = { tenth: { x: '0.10000000000000000000' }, large: { x: '12345678901234568.00000000000000000000' } }
  expect((await ask(numbers)).json.rows).toEqual([null, shown.tenth, shown.tenth, null, shown.large, null])
  expect((await ask(['0.10000000000000001'], true)).json.rows).toEqual([{ x: '0.10000000000000001000' }])
  expect((await ask(numbers)).json.rows.slice(0, 2)).toEqual([{ x: '0.10000000000000001000' }, shown.tenth])
  for (const x of ['1e400', '1e-400']) {
    const { status, json } = await ask(['0', x])
    expect([status, json.error.code, json.error.facts]).toEqual([400, 'invalid-rows', { key: 1, field: 'x' }])
  }
})

test('rows with the bucket key are found in key order, as JSON and as Arrow', async () => {
  const path = await makeTable(site.client, 'prefix', keyed)
  const days = ['2026-11-03', '2026-11-01', '2026-11-02']
  await send(
    path,
    days.map((day, i) => ({ city: 'oslo', day, flights: i })),
  )
  await send(path, [{ city: 'os', day: days[0], flights: 7 }])
  const prefix = (body: object, headers = {}) => site.client.send('POST', `${path}/lookup/prefix`, { json: body, headers })
  const { json } = await prefix({ keys: [{ city: 'oslo' }, { city: 'nowhere' }], columns: ['day', 'flights'] })
  expect(json).toEqual({
    rows: [
      [
        { day: '2026-11-01', flights: '1' },
        { day: '2026-11-02', flights: '2' },
        { day: '2026-11-03', flights: '0' },
      ],
      [],
    ],
    buckets: expect.arrayContaining([{ partition: '', bucket: expect.any(Number), offset: expect.any(String) }]),
  })
  expect((await prefix({ keys: [{ city: 'oslo' }], limit: 2, columns: ['flights'] })).json.rows[0]).toEqual([
    { flights: '1' },
    { flights: '2' },
  ])
  const table = tableFromIPC((await prefix({ keys: [{ city: 'x' }, { city: 'oslo' }] }, { Accept: arrow })).bytes)
  expect([...(table.getChild('__key') ?? [])]).toEqual([1, 1, 1])
  expect(table.schema.metadata.get('sluice.buckets')).toMatch(/^\[\{"partition":"","bucket":\d+,"offset":"\d+"\}/)
  expect((await prefix({ keys: [oslo] })).json.error.code).toBe('unknown-field')
})

test('what is folded into a snapshot is found again by a server that knows nothing, with few reads, and counted with none of the rows', async () => {
  const first = await diskSite()
  const path = await makeTable(first.client, 'folded', { ...keyed, buckets: { count: 1, key: ['city'] } })
  const put = (rows: readonly object[]) => first.client.send('POST', `${path}/records`, { body: lines(rows), headers: ndjson })
  for (let i = 0; i < 40; i++)
    await put([
      { ...oslo, flights: i, note: 'x'.repeat(200) },
      { city: `c${i}`, day: oslo.day, flights: i, note: 'x'.repeat(200) },
    ])
  await expect
    .poll(async () => (await first.client.get('/metrics')).text, { timeout: 15_000 })
    .toMatch(/sluice_snapshots_published_total [1-9]/)
  await put([{ city: 'c3', day: oslo.day, __op: 'D' }])
  await first.running.stop()
  const second = await first.reopen()
  const count = await second.client.get(`${path}/rows?count=true`)
  expect(count.json).toEqual({ count: '40' })
  // The run alone is larger than what is kept among the items.
  expect(count.headers['sluice-requests']).not.toContain('objects.')
  const keys = [oslo, { city: 'c3', day: oslo.day }, { city: 'c7', day: oslo.day }]
  const answer = await second.client.send('POST', `${path}/lookup`, { json: { keys, columns: ['flights'] } })
  expect(answer.json.rows).toEqual([{ flights: '39' }, null, { flights: '7' }])
  expect(Number(/items\.get=(\d+)/.exec(answer.headers['sluice-requests'] ?? '')?.[1])).toBeLessThan(20)
  expect(answer.headers['sluice-requests']).toContain('objects.read=')
  expect([...first.defects, ...second.defects]).toEqual([])
  await second.close()
  await first.close()
})
