/** Which tables the page at `/` shows, and what it asks for to know it. */
import { expect, test } from 'vitest'
import { tablesScript } from './page-tables.ts'

type Names = { readonly names: readonly string[]; readonly next: string | null }
type TableNames = (asked: { find: string; from: string; wanted: number }) => Promise<Names>

/** The lists of the contract over these tables. */
function overTables(tables: Readonly<Record<string, readonly string[]>>) {
  const asked: string[] = []
  const page = (all: readonly string[], query: URLSearchParams) => {
    const names = [...all].sort().filter((name) => name > (query.get('after') ?? ''))
    const limit = Number(query.get('limit'))
    return { names: names.slice(0, limit), next: names.length > limit ? names[limit - 1] : null }
  }
  const json = async (path: string) => {
    asked.push(path)
    const { pathname, searchParams } = new URL(path, 'http://localhost')
    const { names, next } = page(tables[pathname.split('/')[3] as string] ?? [], searchParams)
    return { tables: names, next }
  }
  const list = async () => Object.keys(tables).sort()
  const tableNames = new Function('json', 'list', `${tablesScript}; return tableNames`)(json, list) as TableNames
  return { tableNames, asked }
}

const numbered = (count: number, prefix: string) =>
  Array.from({ length: count }, (_, i) => `${prefix}${String(i).padStart(4, '0')}`)
const three = { a: numbered(1_250, 't'), b: numbered(500, 'u'), c: [], d: numbered(1_250, 't') }

async function pagesOf(tableNames: TableNames, find = ''): Promise<readonly (readonly string[])[]> {
  const pages: (readonly string[])[] = []
  for (let from: string | null = ''; from !== null; ) {
    const { names, next }: Names = await tableNames({ find, from, wanted: 100 })
    pages.push(names)
    from = next
  }
  return pages
}

test('three thousand tables are thirty pages, of which each asks for a hundred names and one', async () => {
  const { tableNames, asked } = overTables(three)
  const first = await tableNames({ find: '', from: '', wanted: 100 })
  expect([first.names.length, first.names[0], first.next]).toEqual([100, 'a.t0000', 'a.t0099'])
  expect(asked).toEqual(['/v1/databases/a/tables?limit=101'])
  const pages = await pagesOf(tableNames)
  expect(pages.length).toBe(30)
  expect(pages.flat()).toEqual(Object.entries(three).flatMap(([db, names]) => names.map((name) => `${db}.${name}`)))
})

test('a text finds tables by any part of their names, and is looked for in lists alone', async () => {
  const { tableNames, asked } = overTables(three)
  expect(await tableNames({ find: 't0007', from: '', wanted: 100 })).toEqual({ names: ['a.t0007', 'd.t0007'], next: null })
  expect(asked.length).toBe(6)
  expect((await pagesOf(tableNames, 'b.')).flat()).toEqual(three.b.map((name) => `b.${name}`))
  expect((await pagesOf(tableNames, 'none')).flat()).toEqual([])
})

test('a page that would ask for too many lists says where to look further', async () => {
  const { tableNames, asked } = overTables(Object.fromEntries(numbered(500, 'db').map((db) => [db, [`in-${db}`]])))
  const { names, next } = await tableNames({ find: 'in-db0499', from: '', wanted: 100 })
  expect([names, next, asked.length]).toEqual([[], 'db0200.', 200])
  expect((await pagesOf(tableNames, 'in-db0499')).flat()).toEqual(['db0499.in-db0499'])
})
