/** GET /: the page (page.ts), and the three lines that it and `sluice serve` show. */
import { createHash } from 'node:crypto'
import { media } from '../../contract/media.ts'
import { utf8 } from '../../core/kernel/bytes.ts'
import type { Handler } from '../call.ts'
import { documentOf, pageScript } from './page.ts'

export const home: Handler<'home'> = async () => ({ status: 200, headers: homeHeaders, body: page })

/** Three lines that work when they are pasted in this order. */
export function curlLines(base: string): readonly string[] {
  const table = `${base}/v1/databases/demo/tables/hello`
  return [
    `curl -X PUT ${base}/v1/databases/demo && curl -X PUT ${table} -H 'Content-Type: application/json' -d '${hello}'`,
    `curl ${table}/records -H 'Content-Type: application/x-ndjson' -d '{"id":1,"text":"hello"}'`,
    `curl '${table}/log?offset=earliest&where=id=1'`,
  ]
}

const hello = '{"columns":[{"name":"id","type":"bigint"},{"name":"text","type":"string"}],"options":{"lake.format":"iceberg"}}'

const script = `const lines = ${JSON.stringify(curlLines('BASE'))}\n${pageScript}`
const page = utf8(documentOf(script))
const scriptHash = createHash('sha256').update(script).digest('base64')

const homeHeaders = {
  'Content-Type': media.html,
  'Content-Security-Policy': `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${scriptHash}'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'X-Content-Type-Options': 'nosniff',
} as const
