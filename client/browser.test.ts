/** The client, bundled, where there is only what browsers have: no Node API, no Buffer, no process. */
import { readFile } from 'node:fs/promises'
import { createContext, runInContext } from 'node:vm'
import { build } from 'esbuild'
import { expect, test } from 'vitest'
import type { SluiceClient } from './client.ts'
import { json, rows } from './fake-fetch.case.ts'
import type { Fetch } from './request.ts'

const webGlobals = {
  AbortController,
  AbortSignal,
  Headers,
  Response,
  TextDecoder,
  TextEncoder,
  URL,
  URLSearchParams,
  crypto,
  performance,
  setTimeout,
  clearTimeout,
}

test('it calls, produces, reads, looks up and tails in a browser', async () => {
  const { outputFiles } = await build({
    entryPoints: [new URL('client.ts', import.meta.url).pathname],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'sluice',
    platform: 'browser',
  })
  const page = createContext({ ...webGlobals })
  runInContext(`${outputFiles[0]?.text}\nglobalThis.sluice = sluice`, page)
  const { SluiceClient: Bundled } = (page as { sluice: { SluiceClient: typeof SluiceClient } }).sluice
  const table = JSON.parse(await readFile(new URL('./fixtures/table.json', import.meta.url), 'utf8'))
  const events = 'event: records\nid: 2\ndata: [{"id":"2"}]\n\nevent: end\ndata: {"reason":"dropped"}\n\n'
  const paths: string[] = []
  const fetch: Fetch = async (input, { headers } = {}) => {
    const path = input.replace('http://sluice', '')
    paths.push(path)
    if (path.endsWith('/records')) return json(200, { buckets: [], duplicate: false })
    if (path.endsWith('/lookup')) return json(200, { rows: [{ id: '3' }] })
    if (!path.includes('/log')) return json(200, table)
    if (new Headers(headers as Record<string, string>).get('Accept') === 'text/event-stream')
      return new Response(events, { headers: { 'Content-Type': 'text/event-stream' } })
    return path.includes('cursor=') ? rows([], 'a') : rows([{ id: '1' }], 'a')
  }
  const client = new Bundled({ url: 'http://sluice/', fetch })
  const producer = await client.producer('d', 't')
  await producer.write({ id: 1 })
  await producer.close()
  const read: unknown[] = []
  for await (const batch of client.fetch('d', 't', { follow: false })) read.push(batch.rows[0]?.['id'])
  const tailed = await client.tail('d', 't').next()
  read.push((await client.lookup('d', 't', { id: 3n }))?.['id'])
  expect([...read, tailed.value?.rows[0]?.['id']].map(String)).toEqual(['1', '3', '2'])
  expect(paths).toContain('/v1/databases/d/tables/t/records')
})
