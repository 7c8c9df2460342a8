/**
 * The page at `/`, one static document: the tables with their lag, and for one of them its buckets and a live tail. Its script reads
 * from this very server and nothing else, and writes text, never markup, so that no value of a row is ever more than text.
 */
import { tablesScript } from './page-tables.ts'

export const documentOf = (script: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sluice</title>
<style>
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --lead: #2b7a9e }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
pre { background: var(--soft); padding: .8rem; overflow-x: auto; font-size: 13px }
table { border-collapse: collapse; font-size: 14px }
td, th { text-align: left; padding: .2rem 1.2rem .2rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; max-width: 24rem; overflow: hidden; text-overflow: ellipsis }
.n { text-align: right; font-variant-numeric: tabular-nums }
.bar { display: inline-block; height: .6rem; background: var(--lead); min-width: 1px }
.rest { display: inline-block; height: .6rem; background: var(--line) }
.scroll { max-height: 26rem; overflow: auto; border: 1px solid var(--line) }
.note { opacity: .7 } .wrong { color: #c33 }
input { font: inherit; width: 24rem; max-width: 60vw } button { font: inherit }
a { color: var(--lead) }
</style>
<h1><a href="#">Sluice</a></h1>
<p>A streaming lakehouse. Produce rows to a table over HTTP, read its log from any offset, and find the same rows, exactly once,
in Apache Iceberg. <a href="/openapi.json">Every call</a> · <a href="/v1">limits</a> · <a href="/v1/cost">requests and cost</a> ·
<a href="/metrics">metrics</a> · <a href="/healthz">health</a></p>
<main id="main"><p class="note">reading …</p></main>
<h2>Try it</h2>
<pre id="lines"></pre>
<noscript><p>The page needs JavaScript; <a href="/v1/databases">/v1/databases</a> does not.</p></noscript>
<script>${script}</script>
`

/** `lines`: what to paste, with BASE for the address. */
export const pageScript = `
const main = document.getElementById('main')
document.getElementById('lines').textContent = lines.join('\\n').replaceAll('BASE', location.origin)

const element = (name, text, kind) => { const made = document.createElement(name); if (text !== undefined) made.textContent = text; if (kind) made.className = kind; return made }
const cells = (row, texts, kind) => { for (const text of texts) row.append(text instanceof Node ? text : element('td', text, kind)) }
const header = (names) => { const row = element('tr'); for (const name of names) row.append(element('th', name)); return row }
const many = (number) => BigInt(number).toLocaleString('en')
const pathOf = (db, table) => '/v1/databases/' + db + '/tables/' + table

async function json(path) {
  const answer = await fetch(path)
  const body = await answer.json()
  if (!answer.ok) throw new Error(body.error ? body.error.message : path + ' answers ' + answer.status)
  return body
}

/** All pages of a list. */
async function list(path, field) {
  const found = []
  for (let after = ''; ;) {
    const page = await json(path + '?limit=1000' + after)
    found.push(...page[field])
    if (page.next === null || found.length >= 10000) return found
    after = '&after=' + encodeURIComponent(page.next)
  }
}

let stop = () => {}
${tablesScript}
function sizeText(bytes) {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']
  let unit = 0
  for (; bytes >= 1024 && unit < 4; unit++) bytes /= 1024
  return (unit === 0 ? bytes : bytes.toFixed(1)) + ' ' + units[unit]
}

function lakeState({ state, lagRows, lagBytes, lagMs, failures, nextAttemptAt, lastError }) {
  const behind = lagRows > 0 ? ', ' + Math.round(lagMs / 1000) + ' s and ' + sizeText(lagBytes) + ' behind' : ''
  if (lastError === null) return state + behind
  const left = Math.max(0, Math.round((nextAttemptAt - Date.now()) / 1000))
  return state + behind + ', failed ' + many(failures) + ' times, again in ' + left + ' s: ' + lastError.message
}

async function showTable(db, name) {
  const path = pathOf(db, name)
  const described = await json(path)
  const buckets = element('table')
  const filter = element('input')
  filter.placeholder = "where, such as id > 100"
  filter.setAttribute('aria-label', 'where')
  const toggle = element('button', 'Pause')
  const said = element('span', '', 'note')
  const rows = element('table')
  const scroll = element('div', undefined, 'scroll')
  scroll.append(rows)
  rows.id = 'tail'
  buckets.id = 'buckets'
  const controls = element('p')
  controls.append(filter, ' ', toggle, ' ', said)
  main.replaceChildren(element('h2', db + '.' + name), element('p', described.columns.map((column) => column.name + ' ' + column.type).join(', '), 'note'),
    element('h3', 'Buckets'), buckets, element('h3', 'Live'), controls, scroll)
  const tail = liveTail({ path, columns: described.columns, rows, said })
  toggle.onclick = () => { toggle.textContent = tail.toggle() ? 'Pause' : 'Go on' }
  filter.onchange = () => tail.open(filter.value)
  tail.open('')
  const refresh = async () => {
    if (document.hidden) return
    const found = await list(path + '/offsets', 'buckets')
    const most = found.reduce((max, { start, end }) => Math.max(max, Number(BigInt(end) - BigInt(start))), 1)
    const shown = [header(['partition', 'bucket', 'start', 'end', 'in the lake up to', 'in the lake, and not'])]
    for (const bucket of found.slice(0, 200)) {
      const row = element('tr')
      cells(row, [bucket.partition])
      cells(row, [String(bucket.bucket), many(bucket.start), many(bucket.end), bucket.tierPoint === null ? '' : many(bucket.tierPoint)], 'n')
      const point = bucket.tierPoint === null ? bucket.start : bucket.tierPoint
      const bars = element('td')
      for (const [kind, count] of [['bar', BigInt(point) - BigInt(bucket.start)], ['rest', BigInt(bucket.end) - BigInt(point)]]) {
        const bar = element('span', undefined, kind)
        bar.style.width = Math.round(200 * Number(count) / most) + 'px'
        bars.append(bar)
      }
      row.append(bars)
      shown.push(row)
    }
    if (found.length > 200) shown.push(header([found.length - 200 + ' more']))
    buckets.replaceChildren(...shown)
  }
  await refresh()
  const timer = setInterval(() => refresh().catch(fail), 2000)
  stop = () => { clearInterval(timer); tail.close() }
}

/** The newest rows first. The browser comes back by itself, with the cursor of the last event. */
function liveTail({ path, columns, rows, said }) {
  const names = [...columns.map((column) => column.name), '__offset', '__timestamp']
  let source
  let isRunning = true
  let seen = 0
  const close = () => { if (source) source.close(); source = undefined }
  const add = (row) => {
    const line = element('tr')
    for (const name of names) cells(line, [row[name] === null || row[name] === undefined ? '' : typeof row[name] === 'object' ? JSON.stringify(row[name]) : String(row[name])])
    rows.tBodies[0].prepend(line)
    while (rows.tBodies[0].rows.length > 200) rows.tBodies[0].lastChild.remove()
  }
  const open = async (where) => {
    close()
    seen = 0
    const head = element('thead')
    head.append(header(names))
    rows.replaceChildren(head, element('tbody'))
    const query = '/log?' + (where === '' ? '' : 'where=' + encodeURIComponent(where) + '&')
    // an EventSource does not say why it was refused
    const answer = await fetch(path + query + 'offset=latest&limit=1', { headers: { accept: 'application/json' } })
    if (!answer.ok) { said.className = 'wrong'; said.textContent = (await answer.json()).error.message; return }
    said.className = 'note'
    said.textContent = 'waiting for rows'
    source = new EventSource(path + query + 'offset=latest')
    source.addEventListener('records', (event) => {
      const found = JSON.parse(event.data)
      seen += found.length
      said.textContent = many(seen) + ' rows, the last at ' + new Date().toLocaleTimeString()
      if (isRunning) for (const row of found.slice(-200)) add(row)
    })
    source.addEventListener('failed', (event) => { said.className = 'wrong'; said.textContent = JSON.parse(event.data).error.message; close() })
    source.addEventListener('end', (event) => { if (JSON.parse(event.data).reason === 'dropped') { said.textContent = 'the table was dropped'; close() } })
  }
  return { open, close, toggle: () => (isRunning = !isRunning) }
}

function fail(error) { main.replaceChildren(element('p', error.message, 'wrong')) }

function show() {
  stop()
  stop = () => {}
  const [, db, name] = /^#([A-Za-z0-9_-]+)\\.([A-Za-z0-9_-]+)$/.exec(location.hash) ?? []
  const asked = new URLSearchParams(location.hash.startsWith('#?') ? location.hash.slice(2) : '')
  const shown = db === undefined ? showTables(asked) : showTable(db, name)
  shown.catch(fail)
}
addEventListener('hashchange', show)
show()
`
