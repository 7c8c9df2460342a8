/** `columns=a,"b,c"`: names in order. Those with a comma or a quote stand in double quotes. */
import { SluiceError } from '../core/kernel/errors.ts'

export interface Name {
  readonly name: string
  readonly isQuoted: boolean
}

/** Sticky: a quoted name in which two quotes stand for one, or anything else up to a comma. */
const namePattern = /"(?:[^"]|"")*"|[^,"]+/y

/** Errors: `bad-request`. */
export function namesIn(text: string): readonly Name[] {
  const names: Name[] = []
  for (let at = 0; at <= text.length; at++) {
    namePattern.lastIndex = at
    const [token] = namePattern.exec(text) ?? []
    if (token === undefined) throw bad('a name is missing: write columns=a,b')
    at += token.length
    if (at < text.length && text[at] !== ',') throw bad('names are separated by commas: write columns=a,b')
    const isQuoted = token.startsWith('"')
    names.push({ name: isQuoted ? token.slice(1, -1).replaceAll('""', '"') : token.trim(), isQuoted })
  }
  return names
}

/** Of columns that are written. Errors: `bad-request`. */
export const columnNames = (text: string): readonly string[] => namesIn(text).map(({ name }) => name)

const bad = (message: string): SluiceError =>
  new SluiceError('bad-request', `columns: ${message}`, { facts: { parameter: 'columns' } })
