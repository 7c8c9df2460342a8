/**
 * The bare Node servers that the product is held against. `files`: each body becomes a file, file and folder are
 * fsynced, then the answer, as durable as an append of the product. `memory`: the body is read and dropped.
 *
 *   node bench/floor.ts files|memory <folder>
 */
import { open } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'

const [kind = 'memory', folder = '.'] = process.argv.slice(2)
const answer = '{"ok":true}'
const headers = { 'content-type': 'application/json', 'content-length': answer.length }
let files = 0

const server = createServer((request, response) => {
  take(request).then(
    () => response.writeHead(200, headers).end(answer),
    (error: unknown) => response.writeHead(500).end(String(error)),
  )
})
server.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`))
process.once('SIGTERM', () => process.exit(0))

async function take(request: IncomingMessage): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  if (kind === 'files') await keep(chunks)
}

async function keep(chunks: readonly Buffer[]): Promise<void> {
  const file = await open(path.join(folder, `${++files}`), 'wx')
  try {
    await file.writev(chunks)
    await file.sync()
  } finally {
    await file.close()
  }
  const directory = await open(folder, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
