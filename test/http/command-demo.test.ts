/** `sluice demo --keyed`: what it proves, killed in the middle, and that it does not prove what is not so. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SluiceClient } from '../../client/client.ts'
import { serveConfig } from '../../serve/config.ts'
import { startServer } from '../../serve/start.ts'
import { sluice } from './sluice.ts'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-demo-'))
})
afterAll(() => rm(directory, { recursive: true }))

const demo = (...args: string[]) => sluice({ url: '' }, 'demo', '--keyed', '--data', directory, ...args)

test('a demo that is killed goes on and counts no flight twice; a row too many is seen', async () => {
  const killed = demo('--rows', '150000')
  const acked = () => readFile(join(directory, 'routes.json'), 'utf8').catch(() => '')
  await expect.poll(acked, { timeout: 60_000, interval: 20 }).toMatch(/"rows":[1-9]/)
  killed.child.kill('SIGKILL')
  await killed.ended
  const { status, out, err } = await demo('--rows', '150000', '--json').ended
  expect([status, err]).toEqual([0, ''])
  expect(JSON.parse(out)).toMatchObject({ rows: 150_000, equal: true, differences: [], conflicts: 0 })
  expect(await demo('--rows', '1000').ended).toMatchObject({
    status: 1,
    err: expect.stringMatching(/holds a demo of 150000 rows[\s\S]*try: sluice demo --keyed --rows 150000/),
  })
  const server = await startServer(serveConfig({ port: '0', data: directory }, {}))
  await new SluiceClient({ url: server.url }).upsert('demo', 'routes', { origin: 'LAX', destination: 'LAS', flights: 1 })
  await server.stop()
  const differs = await demo('--rows', '150000').ended
  expect([differs.status, differs.out]).toEqual([
    1,
    expect.stringMatching(/DIFFERS[\s\S]*LAX → LAS: .* in the file, .* in the changelog folded/),
  ])
}, 180_000)

test('rows are a number, and of the keyed demo', async () => {
  expect(await demo('--rows', '0').ended).toMatchObject({ status: 2, err: expect.stringContaining('from 1 to 3000000') })
  expect(await sluice({ url: '' }, 'demo', '--rows', '5').ended).toMatchObject({
    status: 2,
    err: '--rows is of sluice demo --keyed\n',
  })
})
