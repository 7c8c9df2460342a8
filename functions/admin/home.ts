/**
 * GET /: a page that a person can use without tools: what this is, what is in it, three lines to paste. One static
 * document; its script only reads from this very server, and writes text, never markup.
 */
import { media } from '../../contract/media.ts'
import { utf8 } from '../../core/kernel/bytes.ts'
import type { Handler } from '../call.ts'

export const home: Handler<'home'> = async () => ({ status: 200, headers: homeHeaders, body: page })

/** Three lines that work when they are pasted in this order. */
export function curlLines(base: string): readonly string[] {
  const table = `${base}/v1/databases/demo/tables/hello`
  return [
    `curl -X PUT ${base}/v1/databases/demo && curl -X PUT ${table} -H 'Content-Type: application/json' -d '${hello}'`,
    `curl ${table}/records -H 'Content-Type: application/x-ndjson' -d '{"id":1,"text":"hello"}'`,
    `curl '${table}/log?bucket=0&offset=earliest'`,
  ]
}

const hello = '{"columns":[{"name":"id","type":"bigint"},{"name":"text","type":"string"}]}'

const homeHeaders = {
  'Content-Type': media.html,
  'Content-Security-Policy':
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'",
  'X-Content-Type-Options': 'nosniff',
} as const

const page = utf8(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sluice</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 3rem auto; padding: 0 1rem; color: #222 }
pre { background: #f4f4f1; padding: .8rem; overflow-x: auto; font-size: 13px }
table { border-collapse: collapse } td, th { text-align: left; padding: .2rem 1.2rem .2rem 0; border-bottom: 1px solid #ddd }
td.n { text-align: right; font-variant-numeric: tabular-nums }
@media (prefers-color-scheme: dark) { body { background: #181818; color: #ddd } pre { background: #262626 } td, th { border-color: #444 } a { color: #8bf } }
</style>
<h1>Sluice</h1>
<p>A streaming lakehouse. Produce rows to a table over HTTP, read its log from any offset, and find the same rows, exactly once,
in Apache Iceberg. <a href="/openapi.json">Every call</a> · <a href="/v1">limits</a> · <a href="/v1/cost">requests and cost</a> ·
<a href="/metrics">metrics</a> · <a href="/healthz">health</a></p>
<h2>Tables</h2>
<div id="tables"><p>reading …</p></div>
<h2>Try it</h2>
<pre id="lines"></pre>
<noscript><p>The list needs JavaScript; <a href="/v1/databases">/v1/databases</a> does not.</p></noscript>
<script>
const lines = ${JSON.stringify(curlLines('BASE'))}
document.getElementById('lines').textContent = lines.join('\\n').replaceAll('BASE', location.origin)
const json = async (path) => { const answer = await fetch(path); if (!answer.ok) throw new Error(path + ' answers ' + answer.status); return answer.json() }
const cell = (row, text, kind) => { const td = row.insertCell(); td.textContent = text; if (kind) td.className = kind; return td }
async function show() {
  const place = document.getElementById('tables')
  const table = document.createElement('table')
  table.innerHTML = '<tr><th>table</th><th>buckets</th><th>rows in the log</th><th>lake</th></tr>'
  for (const db of (await json('/v1/databases')).databases) {
    for (const name of (await json('/v1/databases/' + db + '/tables')).tables) {
      const path = '/v1/databases/' + db + '/tables/' + name
      const [described, offsets] = await Promise.all([json(path), json(path + '/offsets?limit=1000')])
      let rows = 0n
      for (const bucket of offsets.buckets) rows += BigInt(bucket.end) - BigInt(bucket.start)
      const row = table.insertRow()
      const link = document.createElement('a')
      link.href = path; link.textContent = db + '.' + name
      cell(row, '').append(link)
      cell(row, described.buckets.count, 'n'); cell(row, rows.toLocaleString(), 'n'); cell(row, described.options['lake.format'])
    }
  }
  place.replaceChildren(table.rows.length > 1 ? table : Object.assign(document.createElement('p'), { textContent: 'None yet: paste the lines below into a terminal.' }))
}
show().catch((error) => { document.getElementById('tables').textContent = String(error.message) })
</script>
`)
