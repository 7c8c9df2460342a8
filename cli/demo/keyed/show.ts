/** What the keyed demo shows: progress with a table of the busiest routes, and the summary at the end. */
import { styleText } from 'node:util'
import { type Cost, number, share, spent, table } from '../show.ts'
import type { Seen } from './reader.ts'
import { type Route, routeKey, timeText } from './routes.ts'

export interface UpsertFacts {
  readonly rows: number
  readonly sent: number
  readonly rowsPerSecond: number
  readonly seen: Seen | undefined
}

/** Of the keyed demo: `--json` prints it as it is, but for the routes. */
export interface KeyedSummary {
  readonly rows: number
  readonly rowsPerSecond: number
  readonly routes: number
  readonly lookups: number
  readonly lookupsPerSecond: number
  readonly changes: number
  readonly conflicts: number
  readonly differences: readonly string[]
  readonly top: readonly (readonly [number, Route])[]
  readonly cost: Cost
  readonly seconds: number
}

/** The line, and the routes below it where there is room for them. */
export function upsertLines({ rows, sent, rowsPerSecond, seen }: UpsertFacts, isWide: boolean): string {
  const line = `${share(sent, rows)} ${number(sent)} rows · ${number(rowsPerSecond)} rows/s · ${number(seen?.perSecond ?? 0)} lookups/s`
  return isWide && seen !== undefined ? [line, ...topTable(seen.top)].join('\n') : line
}

/** `rows`: flights; each is one change or two. */
export const foldLine = (changes: number, total: number): string => `${share(changes, total)} ${number(changes)} changes made`

function topTable(top: KeyedSummary['top']): string[] {
  return table([
    ['route', 'flights', 'sum of delay', 'worst', 'last flight', 'its delay'],
    ...top.map(([route, { flights, delay, worst, lastAt, lastDelay }]) => {
      const { origin, destination } = routeKey(route)
      return [`${origin} ${destination}`, number(flights), number(delay), number(worst), timeText(lastAt), number(lastDelay)]
    }),
  ])
}

export function keyedSummaryOf(summary: KeyedSummary): string {
  const { rows, rowsPerSecond, routes, lookups, lookupsPerSecond, changes, conflicts, differences, top, cost, seconds } = summary
  const isEqual = differences.length === 0
  const verdict = isEqual
    ? styleText(
        'green',
        `the changelog folded = the rows = the lookups = the source: ${number(rows)} flights, ${number(routes)} routes, all values`,
      )
    : styleText('red', `the table DIFFERS from the source:\n  ${differences.slice(0, 10).join('\n  ')}`)
  const lines = [
    '',
    verdict,
    '',
    ...topTable(top),
    '',
    rowsPerSecond > 0
      ? `upserted     ${number(rows)} rows at ${number(rowsPerSecond)} rows/s, ${number(conflicts)} conflicts`
      : `upserted     ${number(rows)} rows, all of them in an earlier run`,
    `looked up    ${number(lookups)} keys at ${number(lookupsPerSecond)} a second while they changed${isEqual ? ', none went back' : ''}`,
    `changelog    ${number(changes)} changes${isEqual ? ', each takes back exactly what was there' : ''}`,
    ...spent(cost, seconds),
    '',
    'next: npm start, then README.md, "Partitions, and rows by key"',
    '',
  ]
  return `${lines.join('\n')}\n`
}
