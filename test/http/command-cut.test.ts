/** `sluice rows` and `sluice fetch` behind something that cuts answers and passes them on as whole ones. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { sluice } from './sluice.ts'

const whole = '{"n":1}\n{"n":2}\n'
const cut = '{"n":1}\n'

let close: (() => void) | undefined
afterEach(() => close?.())

/** One body after the other, each said to be of two rows; the last one again and again. */
async function answering(...bodies: readonly string[]): Promise<{ readonly url: string; readonly asked: () => number }> {
  let asked = 0
  const server = createServer((request, response) => {
    const isBehind = request.url?.includes('cursor=') ?? false
    const body = isBehind ? '' : bodies[Math.min(asked++, bodies.length - 1)]
    const cursor = request.url?.includes('/log') ? { 'Sluice-Cursor': 'c' } : {}
    response.writeHead(200, { 'Sluice-Rows': isBehind ? '0' : '2', ...cursor }).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  close = () => void server.close()
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked: () => asked }
}

test.each(['rows', 'fetch'])('%s asks again for a page that came short', async (command) => {
  const { url, asked } = await answering(cut, whole)
  expect(await sluice({ url }, command, 'd.t', '--format', 'ndjson').ended).toMatchObject({ status: 0, out: whole, err: '' })
  expect(asked()).toBe(2)
})

test.each(['rows', 'fetch'])('%s prints nothing of a page that comes short every time, and fails', async (command) => {
  const { url } = await answering(cut)
  const said = await sluice({ url }, command, 'd.t', '--format', 'ndjson').ended
  expect(said).toMatchObject({ status: 1, out: '', err: expect.stringContaining('is a proxy between?') })
})
