/**
 * The bare Node servers that the product is held against. `files`: each body becomes a file, file and folder are
 * fsynced, then the answer, as durable as an append of the product. `memory`: the body is read and dropped. `map`: the body is
 * a lookup, answered from a Map of the rows in the folder's `rows.json`.
 *
 *   node bench/floor.ts files|memory|map <folder>
 */
import { readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'

const [kind = 'memory', folder = '.'] = process.argv.slice(2)
const answer = '{"ok":true}'
const headers = { 'content-type': 'application/json' }
let files = 0
const rows = kind === 'map' ? rowsById() : new Map<string, unknown>()

const server = createServer((request, response) => {
  take(request).then(
    (chunks) => {
      const text = kind === 'map' ? found(chunks) : answer
      response.writeHead(200, { ...headers, 'content-length': Buffer.byteLength(text) }).end(text)
    },
    (error: unknown) => response.writeHead(500).end(String(error)),
  )
})
server.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`))
process.once('SIGTERM', () => process.exit(0))

async function take(request: IncomingMessage): Promise<readonly Buffer[]> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  if (kind === 'files') await keep(chunks)
  return chunks
}

function rowsById(): ReadonlyMap<string, unknown> {
  const all = JSON.parse(readFileSync(path.join(folder, 'rows.json'), 'utf8')) as readonly { readonly id: string }[]
  return new Map(all.map((row) => [row.id, row]))
}

function found(chunks: readonly Buffer[]): string {
  const { keys } = JSON.parse(Buffer.concat(chunks).toString()) as { readonly keys: readonly { readonly id: string }[] }
  return JSON.stringify({ rows: keys.map(({ id }) => rows.get(id) ?? null) })
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
