/** What the demo shows: a line of progress, and the summary at the end, in tables and bars that fit the terminal. */
import { styleText } from 'node:util'
import type { Comparison } from './sums.ts'
import type { LakeFacts } from './verify.ts'

export interface ProgressFacts {
  readonly rows: number
  readonly sent: number
  readonly rowsPerSecond: number
  readonly lagRows: number
  readonly snapshots: number
}

export interface Summary {
  readonly rows: number
  readonly rowsPerSecond: number
  readonly lake: LakeFacts
  readonly comparison: Comparison
  readonly cost: Cost
  readonly seconds: number
  readonly folder: string
}

const barWidth = 24
const snapshotsShown = 8
export const number = (value: number): string => Math.round(value).toLocaleString('en-US')

export function progressLine({ rows, sent, rowsPerSecond, lagRows, snapshots }: ProgressFacts): string {
  return `${share(sent, rows)} ${number(sent)} rows · ${number(rowsPerSecond)} rows/s · lag ${number(lagRows)} rows · ${snapshots} snapshots`
}

export const readLine = (rows: number, total: number): string =>
  `${share(rows, total)} ${number(rows)} of ${number(total)} rows read`

export function share(part: number, whole: number): string {
  const filled = Math.min(barWidth, Math.round((part / Math.max(1, whole)) * barWidth))
  return '█'.repeat(filled) + '░'.repeat(barWidth - filled)
}

/** `columns`: of the terminal. */
/** As `/v1/cost` answers. */
export interface Cost {
  readonly requests: Readonly<Record<string, number>>
  readonly usd: number
}

export function spent({ requests, usd }: Cost, seconds: number): string[] {
  const counts = Object.entries(requests).map(([name, count]) => `${name}=${count}`)
  return [
    `requests     ${counts.join(' ')}`,
    `on AWS       $${usd.toFixed(4)} for these requests at list prices (docs/limits.md)`,
    `time         ${seconds.toFixed(1)} s`,
  ]
}

export function summaryOf({ rows, rowsPerSecond, lake, comparison, cost, seconds, folder }: Summary, columns: number): string {
  const { equal, origins, differences } = comparison
  const verdict = equal
    ? styleText(
        'green',
        `the lake equals the source: ${number(comparison.rows)} flights in ${lake.months.length} months from ${origins} origins, counts and sums alike`,
      )
    : styleText('red', `the lake DIFFERS from the source:\n  ${differences.slice(0, 10).join('\n  ')}`)
  const lines = [
    '',
    verdict,
    '',
    ...topTable(comparison),
    '',
    ...monthTable(lake, columns),
    '',
    ...snapshotTable(lake),
    '',
    `time travel  ${number(lake.oldestRows)} rows of ${lake.oldestColumns} columns at the first of these snapshots, ${number(comparison.rows)} of ${lake.columns} at the last`,
    `new column   hour came half-way, ${number(comparison.timed)} rows have one`,
    rowsPerSecond > 0
      ? `produced     ${number(rows)} rows at ${number(rowsPerSecond)} rows/s`
      : `produced     ${number(rows)} rows, all of them in an earlier run`,
    `lake         ${lake.snapshots.length} snapshots, each with its offsets in the same commit: ${folder}`,
    ...spent(cost, seconds),
    '',
    'next: npm start, then open http://127.0.0.1:8080 · the folder above is an Iceberg table: point any engine at it',
    '',
  ]
  return `${lines.join('\n')}\n`
}

function topTable({ top }: Comparison): string[] {
  return table([
    ['origin', 'flights', 'sum of delay', 'sum of distance'],
    ...top.map(({ origin, count, delay, distance }) => [origin, number(count), number(delay), number(distance)]),
  ])
}

function monthTable({ months }: LakeFacts, columns: number): string[] {
  const most = Math.max(1, ...months.map(({ rows }) => rows))
  const lines = table([
    ['month', 'files', 'MiB', 'flights'],
    ...months.map(({ month, files, bytes, rows }) => [month, number(files), (bytes / 2 ** 20).toFixed(1), number(rows)]),
  ])
  const room = Math.min(barWidth, columns - (lines[0]?.length ?? 0) - gap.length)
  if (room < 1) return lines
  const bars = months.map(({ rows }) => '█'.repeat(Math.ceil((rows / most) * room)))
  return lines.map((line, at) => (at === 0 ? line : `${line}${gap}${bars[at - 1] ?? ''}`))
}

/** The first and the last ones, where there are many. */
function snapshotTable({ snapshots }: LakeFacts): string[] {
  const lines = table([
    ['snapshot', 'committed', 'new files', 'new rows', 'rows'],
    ...snapshots.map(({ sequence, committedAt, addedFiles, addedRows, rows }) => [
      String(sequence),
      new Date(committedAt).toTimeString().slice(0, 8),
      number(addedFiles),
      number(addedRows),
      number(rows),
    ]),
  ])
  const left = snapshots.length - snapshotsShown
  return left <= 0 ? lines : lines.toSpliced(1 + snapshotsShown / 2, left, `… ${left} more`)
}

const gap = '   '

export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  return rows.map((row) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(gap),
  )
}
