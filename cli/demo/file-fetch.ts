/** `fetch` over file URLs, with HEAD and ranges, for a reader that speaks HTTP only. */
import { open, stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

export async function fetchFile(input: string | URL, init: RequestInit = {}): Promise<Response> {
  const path = fileURLToPath(String(input))
  const size = await stat(path)
    .then((found) => found.size)
    .catch(() => undefined)
  if (size === undefined) return new Response(null, { status: 404 })
  const headers = { 'content-length': String(size), 'accept-ranges': 'bytes' }
  if (init.method === 'HEAD') return new Response(null, { status: 200, headers })
  const range = /^bytes=(\d+)-(\d*)$/.exec(new Headers(init.headers).get('range') ?? '')
  const start = range === null ? 0 : Number(range[1])
  const end = range === null || range[2] === '' ? size : Math.min(size, Number(range[2]) + 1)
  const bytes = new Uint8Array(end - start)
  const file = await open(path)
  try {
    await file.read(bytes, 0, bytes.length, start)
  } finally {
    await file.close()
  }
  return new Response(bytes, { status: range === null ? 200 : 206, headers: { 'content-length': String(bytes.length) } })
}
