/**
 * Which names are allowed (contract, "Names"). Databases and tables appear in URLs and item keys, so they are plain ASCII;
 * columns are any text in NFC without control characters. A leading `__` belongs to the system.
 */
import { SluiceError } from '../kernel/errors.ts'
import { limits } from '../kernel/limits.ts'
import { quoted } from './nearest.ts'

/** Columns that answers carry and that produce ignores on log tables. */
export const systemColumns = ['__offset', '__timestamp', '__bucket', '__partition', '__op'] as const

export const databaseName = (name: string): string => resourceName(name, 'database')
export const tableName = (name: string): string => resourceName(name, 'table')

/** The name itself, or `invalid-name` saying which rule it breaks. `where` goes into the message: `column`, `field of "a"`. */
export function columnName(name: string, where = 'column'): string {
  const problem = columnProblem(name)
  if (problem !== undefined) throw invalid(where, name, problem)
  return name
}

function resourceName(name: string, what: string): string {
  if (!/^[A-Za-z0-9_-]{1,200}$/.test(name)) throw invalid(what, name, 'use 1 to 200 of A-Z a-z 0-9 _ -')
  if (name.startsWith('__')) throw invalid(what, name, 'a leading __ belongs to the system')
  return name
}

function columnProblem(name: string): string | undefined {
  if (name.length === 0) return 'it is empty'
  if (name.length > 2 * limits.columnNameCodePointsMax || [...name].length > limits.columnNameCodePointsMax) {
    return `it is longer than ${limits.columnNameCodePointsMax} code points`
  }
  if (name.startsWith('__')) return 'a leading __ belongs to the system'
  if (/\p{Cc}/u.test(name)) return 'it has control characters'
  if (!name.isWellFormed()) return 'it has a lone surrogate'
  if (name.normalize('NFC') !== name) return 'it is not in Unicode normal form C'
  return undefined
}

const invalid = (what: string, name: string, problem: string): SluiceError =>
  new SluiceError('invalid-name', `${what} name ${quoted(name)} is not allowed: ${problem}`, {
    facts: { name: name.slice(0, 256) },
  })
