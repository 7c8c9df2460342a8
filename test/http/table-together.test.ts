/** Many readers of the same pages at once: memory is shared between them, and let go behind the last. */
import { get } from 'node:http'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { lines, makeTable, ndjson, siteOfFile } from './harness.ts'

const site = await siteOfFile()

const arrow = { Accept: 'application/vnd.apache.arrow.stream' }

test('every answer is whole, while others read the same, compress it, or go away in the middle', async () => {
  const columns = [
    { name: 'id', type: 'bigint' },
    { name: 'text', type: 'string' },
    { name: 'more', type: 'string' },
  ]
  const path = await makeTable(site.client, 'together', { columns })
  for (let part = 0; part < 4; part++) {
    const rows = Array.from({ length: 3_000 }, (_, i) => ({
      id: part * 3_000 + i,
      text: `${i} `.repeat(40),
      more: `${part} ${i * i} `.repeat(9),
    }))
    await site.client.send('POST', `${path}/records`, { body: lines(rows), headers: ndjson })
  }
  const queries = ['', '&columns=text', '&columns=more,id', '&where=id%20%3E%20100', '&where=id%20%3E%3D%200&columns=id']
  const targets = queries.map((query) => `${path}/log?offset=earliest&limit=100000${query}`)
  const expected = await Promise.all(targets.map((target) => site.client.raw('GET', target, { headers: arrow })))
  const leave = (target: string): Promise<void> =>
    new Promise((resolve) => {
      const asked = get({ port: site.client.port, path: target, headers: arrow }, (answer) =>
        answer.once('data', () => asked.destroy()),
      )
      asked.on('error', () => undefined).on('close', resolve)
    })
  for (let round = 0; round < 6; round++) {
    const whole = targets.map((target) => site.client.raw('GET', target, { headers: arrow }))
    const zipped = targets.map((target) => site.client.raw('GET', target, { headers: { ...arrow, 'Accept-Encoding': 'gzip' } }))
    const gone = targets.map(leave)
    for (const [i, { status, bytes }] of expected.entries()) {
      const [one, other] = [await whole[i], await zipped[i]]
      expect([status, bytes.length > 20_000, one?.status, other?.headers['content-encoding']]).toEqual([200, true, 200, 'gzip'])
      expect(Buffer.compare(one?.bytes ?? Buffer.alloc(0), bytes)).toBe(0)
      expect(Buffer.compare(gunzipSync(other?.bytes ?? Buffer.alloc(0)), bytes)).toBe(0)
    }
    await Promise.all(gone)
  }
})
