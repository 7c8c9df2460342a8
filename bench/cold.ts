/**
 * A cold ingest function: the size of its bundle as it would be deployed (esbuild, minified, everything in it), and in a
 * process of its own the time to import it and to answer its first request, a produce to a table that is absent, which
 * asks the metadata store once. That store is a stand-in on this machine: no network time is in the figures.
 */
import { statSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { build } from 'esbuild'
import type { BenchOptions } from './append.ts'
import { runScript } from './children.ts'
import type { ColdTimes } from './cold-child.ts'
import { alternate, type Line, machine, type Report, spreadOf } from './harness.ts'
import { withScratch } from './scratch.ts'

const MB = 1e6
const bundleBytesMax = 1.5 * MB
const requireShim = `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`

export function cold({ rounds, progress }: BenchOptions): Promise<readonly Report[]> {
  return withScratch(async (scratch) => {
    const outfile = path.join(scratch.folder(), 'ingest.mjs')
    const size = await bundleInto(outfile)
    const store = await startStore()
    try {
      const run = () => timesOf(outfile, store.port)
      const times = await alternate({
        bench: 'cold ingest function',
        unit: 'ms to import',
        rounds: Math.max(rounds, 5),
        progress,
        cases: [{ name: 'ingest', run }],
        notes: ['a new process a round; the metadata store is a stand-in on this machine, so no network time is in it'],
      })
      return [sizeReport(size), times]
    } finally {
      store.stop()
    }
  })
}

interface Bundle {
  readonly bytes: number
  /** The largest parts: package or folder, and bytes. */
  readonly parts: readonly (readonly [string, number])[]
}

async function bundleInto(outfile: string): Promise<Bundle> {
  const { metafile } = await build({
    entryPoints: [path.resolve(import.meta.dirname, '../functions/ingest.ts')],
    outfile,
    bundle: true,
    minify: true,
    metafile: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    banner: { js: requireShim },
    logLevel: 'error',
  })
  const parts = new Map<string, number>()
  for (const [input, { bytesInOutput }] of Object.entries(Object.values(metafile.outputs)[0]?.inputs ?? {})) {
    const [, name] = /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input) ?? []
    const part = name ?? input.split('/')[0] ?? input
    parts.set(part, (parts.get(part) ?? 0) + bytesInOutput)
  }
  return { bytes: statSync(outfile).size, parts: [...parts].sort(([, a], [, b]) => b - a).slice(0, 8) }
}

function sizeReport({ bytes, parts }: Bundle): Report {
  const line: Line = {
    name: 'functions/ingest.ts',
    value: spreadOf([bytes / MB]),
    figures: {},
    aim: '≤ 1.5',
    met: bytes <= bundleBytesMax,
  }
  const notes = [`largest parts: ${parts.map(([name, size]) => `${name} ${Math.round(size / 1000)} kB`).join(', ')}`]
  return { bench: 'bundle of ingest', unit: 'MB', rounds: 1, machine: machine(), lines: [line], notes }
}

async function timesOf(bundle: string, port: number) {
  const environment = {
    SLUICE_OBJECTS: 's3://bench',
    SLUICE_ITEMS: 'dynamodb://bench',
    SLUICE_QUEUE: `http://127.0.0.1:${port}/1/bench`,
    AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'bench',
    AWS_SECRET_ACCESS_KEY: 'bench',
  }
  const times = await runScript<ColdTimes>('cold-child.ts', { bundle }, environment)
  return { value: times.importMs, figures: { 'first ms': times.firstMs, 'second ms': times.secondMs, status: times.status } }
}

/** A DynamoDB that has no item but the marker that its conditional writes were probed before. */
async function startStore(): Promise<{ port: number; stop: () => void }> {
  const server = createServer((request, response) => {
    let asked = ''
    request.on('data', (chunk) => {
      asked += chunk
    })
    request.on('end', () => {
      const { Key } = JSON.parse(asked) as { Key?: Readonly<Record<string, { readonly S: string }>> }
      const found = Key?.['pk']?.S === 'probe' ? { Item: Key } : {}
      response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(found))
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  return { port: (server.address() as AddressInfo).port, stop: () => server.close() }
}
