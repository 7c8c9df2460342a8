/**
 * Imports a bundled function and calls it twice, as a new process: what a cold start pays beside Lambda's own share.
 *
 *   node bench/cold-child.ts '{"bundle":"…/ingest.mjs"}'
 */
import { pathToFileURL } from 'node:url'

export interface ColdTimes {
  readonly importMs: number
  readonly firstMs: number
  readonly secondMs: number
  /** Of the first answer: 404, because the table is absent. */
  readonly status: number
}

interface Bundled {
  readonly handler: (event: object, context: object) => Promise<{ readonly statusCode: number; readonly body?: string }>
}

const { bundle } = JSON.parse(process.argv[2] ?? '{}') as { bundle: string }
const begun = performance.now()
const { handler } = (await import(pathToFileURL(bundle).href)) as Bundled
const imported = performance.now()
const answer = await handler(event(), context())
const first = performance.now()
await handler(event(), context())
const second = performance.now()
if (answer.statusCode !== 404) throw new Error(`expected 404, got ${answer.statusCode}: ${answer.body}`)
const times: ColdTimes = {
  importMs: imported - begun,
  firstMs: first - imported,
  secondMs: second - first,
  status: answer.statusCode,
}
process.stdout.write(JSON.stringify(times))
process.exit(0)

/** A function URL's event, payload format 2.0. */
function event(): object {
  const path = '/v1/databases/bench/tables/absent/records'
  return {
    version: '2.0',
    rawPath: path,
    rawQueryString: '',
    headers: { 'content-type': 'application/x-ndjson', host: 'bench.invalid' },
    requestContext: { requestId: 'bench', http: { method: 'POST', path, sourceIp: '127.0.0.1' } },
    body: Buffer.from('{"id":"1"}\n').toString('base64'),
    isBase64Encoded: true,
  }
}

function context(): object {
  return { awsRequestId: 'bench', functionName: 'ingest', getRemainingTimeInMillis: () => 30_000 }
}
