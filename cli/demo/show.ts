/** What the demo shows: a line of progress, and the summary at the end. */
import { styleText } from 'node:util'
import type { Comparison } from './compare.ts'

export interface ProgressFacts {
  readonly rows: number
  readonly sent: number
  readonly rowsPerSecond: number
  readonly lagRows: number
  readonly snapshots: number
}

const barWidth = 24
const number = (value: number): string => Math.round(value).toLocaleString('en-US')

export function progressLine({ rows, sent, rowsPerSecond, lagRows, snapshots }: ProgressFacts): string {
  const filled = Math.round((sent / rows) * barWidth)
  const bar = '█'.repeat(filled) + '░'.repeat(barWidth - filled)
  return `${bar} ${number(sent)} rows · ${number(rowsPerSecond)} rows/s · lag ${number(lagRows)} rows · ${snapshots} snapshots`
}

export interface Summary {
  readonly rows: number
  readonly rowsPerSecond: number
  readonly snapshots: number
  readonly comparison: Comparison
  readonly cost: { readonly requests: Readonly<Record<string, number>>; readonly usd: number }
  readonly seconds: number
  readonly folder: string
}

export function summaryOf({ rows, rowsPerSecond, snapshots, comparison, cost, seconds, folder }: Summary): string {
  const verdict = comparison.equal
    ? styleText(
        'green',
        `the lake equals the source: ${number(comparison.rows)} flights from ${comparison.origins} origins, counts and sums alike`,
      )
    : styleText('red', `the lake DIFFERS from the source:\n  ${comparison.differences.slice(0, 10).join('\n  ')}`)
  const lines = [
    '',
    verdict,
    '',
    ...table([
      ['origin', 'flights', 'sum of delay', 'sum of distance'],
      ...comparison.top.map(({ origin, count, delay, distance }) => [origin, number(count), number(delay), number(distance)]),
    ]),
    '',
    rowsPerSecond > 0
      ? `produced   ${number(rows)} rows at ${number(rowsPerSecond)} rows/s`
      : `produced   ${number(rows)} rows, all of them in an earlier run`,
    `lake       ${snapshots} snapshots, each with its offsets in the same commit: ${folder}`,
    `requests   ${Object.entries(cost.requests)
      .map(([name, count]) => `${name}=${count}`)
      .join(' ')}`,
    `on AWS     $${cost.usd.toFixed(4)} for these requests at list prices (docs/limits.md)`,
    `time       ${seconds.toFixed(1)} s`,
    '',
    'next: npm start, then open http://127.0.0.1:8080 · the folder above is an Iceberg table: point any engine at it',
    '',
  ]
  return `${lines.join('\n')}\n`
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  return rows.map((row) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('   '),
  )
}
