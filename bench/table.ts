/** Reports and plain tables as text that fits the terminal: the first column gives way, figures never do. */
import { stripVTControlCharacters, styleText } from 'node:util'
import type { Line, Report, Spread } from './harness.ts'

const widthDefault = 100
const nameMin = 16

export function printReport(report: Report): string {
  const names = [...new Set(report.lines.flatMap((line) => Object.keys(line.figures)))]
  const head = ['', report.unit, 'low … high', ...names, 'of floor']
  const rows = report.lines.map((line) => [
    line.name,
    number(line.value.median),
    `${number(line.value.low)} … ${number(line.value.high)}`,
    ...names.map((name) => figure(line.figures[name])),
    line.ratio === undefined ? '' : line.ratio.median.toFixed(2),
  ])
  const title = `${styleText('bold', report.bench)}: medians of ${report.rounds} alternating rounds; ${report.machine}`
  const notes = [...report.lines.flatMap(verdict), ...report.notes].map((note) => `- ${note}`)
  return [title, ...table(head, rows), ...notes].join('\n')
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const columns = head.map((title, at) => Math.max(title.length, ...rows.map((row) => width(row[at] ?? ''))))
  const others = columns.slice(1).reduce((sum, each) => sum + each + 2, 0)
  columns[0] = Math.max(nameMin, Math.min(columns[0] ?? 0, (process.stdout.columns ?? widthDefault) - others))
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, at) => (at === 0 ? cell.slice(0, columns[0]).padEnd(columns[0] ?? 0) : pad(cell, columns[at] ?? 0)))
      .join('  ')
      .trimEnd()
  return [styleText('dim', line(head)), ...rows.map(line)]
}

export function number(value: number): string {
  if (!Number.isFinite(value)) return '–'
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US')
  return Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2)
}

function figure(spread: Spread | undefined): string {
  return spread === undefined ? '' : number(spread.median)
}

function verdict(line: Line): string[] {
  if (line.aim === undefined) return []
  const ratio = line.ratio === undefined ? '' : `${line.ratio.low.toFixed(2)} … ${line.ratio.high.toFixed(2)} of the floor; `
  return [`${line.name}: ${ratio}asked ${line.aim} ${line.met ? styleText('green', '✓ met') : styleText('red', '✗ not met')}`]
}

function width(cell: string): number {
  return stripVTControlCharacters(cell).length
}

function pad(cell: string, columns: number): string {
  return ' '.repeat(Math.max(0, columns - width(cell))) + cell
}
