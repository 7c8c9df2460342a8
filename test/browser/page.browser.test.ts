/** The page at `/` as a person sees it: tables with their lag, one table's buckets, a live tail that comes back. */
import type { Browser, Page } from 'puppeteer-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { diskSite, lines, makeTable, ndjson, type Site } from '../http/harness.ts'

const { launch } = (await import('puppeteer-core')).default

let site: Site
let browser: Browser
let page: Page
const complaints: string[] = []
const base = (): string => `http://127.0.0.1:${site.client.port}/`

beforeAll(async () => {
  site = await diskSite()
  browser = await launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
  })
  page = await browser.newPage()
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
}, 60_000)
afterAll(async () => {
  await browser.close()
  await site.close()
})

const textOf = (selector: string): Promise<string> => page.$eval(selector, (found) => found.textContent ?? '')
const produce = (path: string, rows: readonly object[]) =>
  site.client.send('POST', `${path}/records`, { body: lines(rows), headers: ndjson })

async function until(isThere: (text: string) => boolean, selector = '#main'): Promise<string> {
  for (let i = 0; ; i++) {
    const text = await textOf(selector).catch(() => '')
    if (isThere(text)) return text
    if (i === 100) throw new Error(`not on the page after 10 s; there is: ${text.slice(0, 1_000)}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

test('without tables it says what to do, with lines that name this very server', async () => {
  await page.goto(base())
  await until((text) => text.includes('None yet'))
  expect(await textOf('#lines')).toContain(`curl -X PUT ${base()}v1/databases/demo`)
})

test('tables are listed with their rows and how far the lake is behind', async () => {
  const path = await makeTable(site.client, 'flights', {
    options: { 'lake.format': 'iceberg', 'lake.freshness': '1h' },
    buckets: { count: 3 },
  })
  await produce(
    path,
    Array.from({ length: 1_234 }, (_, id) => ({ id })),
  )
  await page.goto(base())
  await until((shown) => /d\.flights\s*3\s*1,234/.test(shown))
  // Another load a while later: the lag is in whole seconds.
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  await page.reload()
  const lagging = await until((shown) => shown.includes(' behind'))
  expect(lagging).toMatch(/, [1-9][0-9]* s and [1-9][0-9.]* [KM]iB behind/)
  await site.client.send('POST', `${path}/tier?wait=20s`)
  await page.reload()
  const tiered = await until((shown) => shown.includes('d.flights') && shown.includes('idle'))
  expect(tiered).not.toContain('behind')
})

test('a table shows its buckets, and its rows as they come; what is in a row is text and nothing else', async () => {
  const path = await makeTable(site.client, 'live')
  await page.goto(`${base()}#d.live`)
  await until((text) => text.includes('waiting for rows'))
  await produce(path, [{ id: 1, text: '<img src=x onerror="document.title=1">' }])
  const tail = await until((text) => text.includes('<img'), '#tail')
  expect(tail).toContain('onerror')
  expect([await page.title(), await page.$$eval('#tail img', (found) => found.length)]).toEqual(['Sluice', 0])
  await until((text) => /0\s*0\s*1/.test(text), '#buckets')
})

test('a tail can be narrowed, and says what is wrong with a filter', async () => {
  const path = await makeTable(site.client, 'narrow')
  await page.goto(`${base()}#d.narrow`)
  await until((text) => text.includes('waiting for rows'))
  const filter = async (text: string): Promise<void> => {
    await page.$eval('input', (input) => {
      ;(input as unknown as { value: string }).value = ''
    })
    await page.type('input', `${text}\n`)
  }
  await filter('id >')
  await until((text) => text.includes('filter at character'))
  await filter('id > 10')
  await until((text) => text.includes('waiting for rows'))
  await produce(path, [
    { id: 5, text: 'no' },
    { id: 11, text: 'yes' },
  ])
  const tail = await until((text) => text.includes('yes'), '#tail')
  expect(tail).not.toContain('no11')
  expect(await page.$$eval('#tail tbody tr', (found) => found.length)).toBe(1)
})

test('many tables come a page at a time, and are found by name', async () => {
  for (let i = 0; i < 120; i++) await makeTable(site.client, `many-${String(i).padStart(3, '0')}`)
  const rowCount = (): Promise<number> => page.$$eval('#main table tr', (found) => found.length - 1)
  await page.goto(base())
  await until((text) => text.includes('next page') && !text.includes('many-119'))
  expect(await rowCount()).toBe(100)
  await page.$$eval('#main p a', (links) => (links[0] as unknown as { click(): void }).click())
  await until((text) => text.includes('many-119') && text.includes('first page') && !text.includes('next page'))
  expect(await rowCount()).toBe(23)
  await page.type('input', 'many-04\n')
  const found = await until((text) => text.includes('many-049') && !text.includes('many-119'))
  expect([await rowCount(), found.includes('first page')]).toEqual([10, false])
})

test('nothing was complained of, but for the filter that was wrong', () => {
  expect(complaints.filter((text) => !text.includes('400'))).toEqual([])
})
