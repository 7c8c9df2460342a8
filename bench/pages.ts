/**
 * The bare Node server that a fetch is held against: it answers with the same pages, each read from one file when it is asked for.
 *
 *   node bench/pages.ts '<PagesSpec as JSON>'
 */
import { open } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface PagesSpec {
  readonly file: string
  readonly pages: readonly { readonly start: number; readonly bytes: number; readonly rows: number }[]
}

const spec = JSON.parse(process.argv[2] ?? '{}') as PagesSpec
const file = await open(spec.file)

const server = createServer((request, response) => {
  const index = Number(/cursor=(\d+)/.exec(request.url ?? '')?.[1] ?? 0)
  answer(index).then(
    (body) => {
      const rows = spec.pages[index]?.rows ?? 0
      const headers = { 'content-type': 'application/vnd.apache.arrow.stream', 'content-length': body.length }
      response.writeHead(200, { ...headers, 'sluice-rows': rows, 'sluice-cursor': index + 1 }).end(body)
    },
    (error: unknown) => response.writeHead(500).end(String(error)),
  )
})
server.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`))
process.once('SIGTERM', () => process.exit(0))

async function answer(index: number): Promise<Uint8Array> {
  const page = spec.pages[index]
  if (page === undefined) return new Uint8Array(0)
  const body = Buffer.allocUnsafe(page.bytes)
  await file.read(body, 0, page.bytes, page.start)
  return body
}
