/**
 * The tables of the page at `/`, as script: a hundred a page, in the order of their names, those with a text in them if one is looked for.
 * Names come from lists; only tables that are shown are asked how they are, a few at once.
 */
export const tablesScript = `
const tablesShown = 100
/** Lists that a page asks for at most; then it says how far it looked. */
const listsMax = 200
const tablesAtOnce = 6

/** Names of at most so many tables behind the table 'from', with 'find' in them. next: where to go on, null: there are no more. */
async function tableNames({ find, from, wanted }) {
  const [fromDb, fromTable] = from.split('.')
  const names = []
  let lists = 0
  for (const db of await list('/v1/databases', 'databases')) {
    if (db < fromDb) continue
    for (let after = db === fromDb ? fromTable : ''; ; ) {
      if (lists++ === listsMax) return { names, next: db + '.' + after }
      const limit = find === '' ? wanted - names.length + 1 : 1000
      const page = await json('/v1/databases/' + db + '/tables?limit=' + limit + (after === '' ? '' : '&after=' + after))
      for (const table of page.tables) {
        const name = db + '.' + table
        if (!name.includes(find)) continue
        if (names.length === wanted) return { names, next: names.at(-1) }
        names.push(name)
      }
      if (page.next === null) break
      after = page.next
    }
  }
  return { names, next: null }
}

async function fillRow(row, name) {
  const path = pathOf(...name.split('.'))
  try {
    const [described, offsets] = await Promise.all([json(path), json(path + '/offsets?limit=1000')])
    const lake = described.options['lake.format']
    const tier = lake === 'none' ? undefined : await json(path + '/tier')
    const more = offsets.next === null ? '' : ' and more'
    let rows = 0n
    for (const bucket of offsets.buckets) rows += BigInt(bucket.end) - BigInt(bucket.start)
    cells(row, [many(offsets.buckets.length) + more, many(rows) + more], 'n')
    cells(row, [lake])
    cells(row, [tier === undefined ? '' : many(tier.lagRows)], 'n')
    cells(row, [tier === undefined ? '' : lakeState(tier)])
  } catch (error) {
    row.append(element('td', error.message, 'wrong'))
  }
}

const tablesLink = (text, asked) => { const link = element('a', text); link.href = '#?' + new URLSearchParams(asked); return link }

async function showTables(asked) {
  const find = asked.get('find') ?? ''
  const from = asked.get('from') ?? ''
  const { names, next } = await tableNames({ find, from, wanted: tablesShown })
  const search = element('input')
  search.placeholder = 'find by name'
  search.setAttribute('aria-label', 'find by name')
  search.value = find
  search.onchange = () => { location.hash = '?' + new URLSearchParams({ find: search.value.trim() }) }
  const table = element('table')
  table.append(header(['table', 'buckets', 'rows in the log', 'lake', 'rows not in the lake', 'state']))
  const left = names.map((name) => {
    const row = element('tr')
    const first = element('td')
    const link = element('a', name)
    link.href = '#' + name
    first.append(link)
    row.append(first)
    table.append(row)
    return [row, name]
  })
  const isFirst = find === '' && from === ''
  const none = element('p', isFirst ? 'None yet: paste the lines below into a terminal.' : 'None here.', 'note')
  const pages = element('p')
  if (from !== '') pages.append(tablesLink('first page', { find }), ' ')
  if (next !== null) pages.append(tablesLink(names.length < tablesShown ? 'look further' : 'next page', { find, from: next }))
  main.replaceChildren(element('h2', 'Tables'), search, names.length > 0 ? table : none, pages)
  let isShown = true
  stop = () => { isShown = false }
  const fill = async () => { for (let each; isShown && (each = left.shift()); ) await fillRow(...each) }
  await Promise.all(Array.from({ length: tablesAtOnce }, fill))
}
`
