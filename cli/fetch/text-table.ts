/**
 * Rows as a table that fits a width in cells: long cells are cut with …, numbers stand right. Widths come from the rows at hand and
 * grow with later ones, and then the head is printed again. Nothing of a row reaches the terminal as a control character.
 */

export interface TextColumn {
  readonly name: string
  readonly isNumber: boolean
}

const gap = '  '
const cellWidthMin = 4
/** No cell needs more, however wide the terminal is. */
const cellWidthMax = 80

/** The lines of a page, each with its line end; the head is part of them when it is new. `paint` changes no width. */
export function textTable(
  columns: readonly TextColumn[],
  widthMax: number,
  paint: (line: string, row: Readonly<Record<string, unknown>>) => string = (line) => line,
): (rows: readonly Record<string, unknown>[]) => string {
  let needed: readonly number[] = columns.map(({ name }) => widthOf(printable(name)))
  let shown: readonly number[] = []
  return (rows) => {
    const cells = rows.map((row) => columns.map(({ name }) => cellText(row[name])))
    needed = needed.map((width, i) => cells.reduce((most, row) => Math.max(most, widthOf(row[i] ?? '')), width))
    const widths = fitWidths(needed, widthMax)
    const line = (texts: readonly string[]): string => {
      const parts = widths.map((width, i) => pad(cut(texts[i] ?? '', width), width, columns[i]?.isNumber ?? false))
      return parts.join(gap).trimEnd()
    }
    const isNew = widths.join() !== shown.join()
    shown = widths
    const hidden = columns.length - widths.length
    const head = [
      line(columns.map(({ name }) => printable(name))),
      line(widths.map((width) => '─'.repeat(width))),
      ...(hidden > 0 ? [`… and ${hidden} more columns: choose with --columns`] : []),
    ]
    const lines = [...(isNew ? head : []), ...cells.map((texts, i) => paint(line(texts), rows[i] ?? {}))]
    return lines.map((each) => `${each}\n`).join('')
  }
}

/** The widest give way first; columns that do not fit at their narrowest are left out, the last first. */
export function fitWidths(needed: readonly number[], widthMax: number): readonly number[] {
  const count = Math.max(1, Math.min(needed.length, Math.floor((widthMax + gap.length) / (cellWidthMin + gap.length))))
  const widths = needed.slice(0, count).map((width) => Math.min(width, cellWidthMax))
  const room = widthMax - gap.length * (count - 1)
  for (let over = sum(widths) - room; over > 0; over--) {
    const widest = widths.indexOf(Math.max(...widths))
    const width = widths[widest] ?? 0
    if (width <= 1) break
    widths[widest] = width - 1
  }
  return widths
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

function cellText(value: unknown): string {
  if (value === undefined || value === null) return ''
  return printable(typeof value === 'string' ? value : JSON.stringify(value))
}

/** Control characters as their escapes, so that no row can drive a terminal. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (each) => {
    const known = ({ '\n': '\\n', '\r': '\\r', '\t': '\\t' } as const)[each as '\n']
    return known ?? `\\u${(each.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`
  })
}

const mark = /^\p{M}$/u
const wide =
  /^[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]$/u
const ascii = /^[\x20-\x7e]*$/

/** In cells of a terminal. */
export function widthOf(text: string): number {
  if (ascii.test(text)) return text.length
  let width = 0
  for (const each of text) width += cellsOf(each)
  return width
}

const cellsOf = (each: string): number => (mark.test(each) ? 0 : wide.test(each) ? 2 : 1)

function cut(text: string, widthMax: number): string {
  if (widthOf(text) <= widthMax) return text
  let kept = ''
  let left = widthMax - 1
  for (const each of text) {
    left -= cellsOf(each)
    if (left < 0) break
    kept += each
  }
  return `${kept}…`
}

function pad(text: string, width: number, isRight: boolean): string {
  const fill = ' '.repeat(Math.max(0, width - widthOf(text)))
  return isRight ? fill + text : text + fill
}
