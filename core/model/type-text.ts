/**
 * The text form of column types (contract, "Create table"): `decimal(10,2)`, `array<row<a int, "b c" string>>`, `vector(384)`.
 * parseType accepts any case and spaces between tokens; printType writes one canonical form, so equal text is an equal type.
 * Bounded: 64 KiB of text, depth 16, 1,000 nested fields in one type.
 */
import { SluiceError } from '../kernel/errors.ts'
import { limits } from '../kernel/limits.ts'
import { columnName } from './names.ts'
import { nearest, quoted } from './nearest.ts'
import type { DataType, RowField } from './types.ts'

const typeTextLengthMax = 65_536
const plainName = /^[A-Za-z_][A-Za-z0-9_]*$/
const simpleKinds = ['boolean', 'tinyint', 'smallint', 'int', 'bigint', 'float', 'double', 'string', 'binary', 'date'] as const
const timeKinds = ['time', 'timestamp', 'timestamp_ltz'] as const
const kinds = [...simpleKinds, ...timeKinds, 'decimal', 'array', 'map', 'row', 'vector']
const forms = [
  ...simpleKinds,
  ...timeKinds.map((kind) => `${kind}(p)`),
  'decimal(p,s)',
  'array<t>',
  'map<k,v>',
  'row<name t, …>',
  'vector(n)',
]

/** Ids of nested fields are 0. Errors: `invalid-schema` with the position, `invalid-name` for a row's field. */
export function parseType(text: string): DataType {
  if (text.length > typeTextLengthMax)
    throw new SluiceError('invalid-schema', `a type is at most ${typeTextLengthMax} characters long`)
  const source: Source = { text, at: 0, fields: 0 }
  const type = readType(source, 1)
  skipSpaces(source)
  if (source.at < text.length) throw problem(source, `${quoted(text.slice(source.at))} follows the type`)
  return type
}

export function printType(type: DataType): string {
  switch (type.kind) {
    case 'decimal':
      return `decimal(${type.precision},${type.scale})`
    case 'time':
    case 'timestamp':
    case 'timestamp_ltz':
      return `${type.kind}(${type.precision})`
    case 'array':
      return `array<${printType(type.element)}>`
    case 'map':
      return `map<${printType(type.key)},${printType(type.value)}>`
    case 'row':
      return `row<${type.fields.map((field) => `${printName(field.name)} ${printType(field.type)}`).join(', ')}>`
    case 'vector':
      return `vector(${type.dimension})`
    default:
      return type.kind
  }
}

interface Source {
  readonly text: string
  at: number
  fields: number
}

function readType(source: Source, depth: number): DataType {
  if (depth > limits.typeDepthMax) throw problem(source, `types nest at most ${limits.typeDepthMax} deep`)
  const start = source.at
  const word = readWord(source).toLowerCase()
  const simple = simpleKinds.find((kind) => kind === word)
  if (simple !== undefined) return { kind: simple }
  const time = timeKinds.find((kind) => kind === word)
  if (time !== undefined) return { kind: time, precision: accept(source, '(') ? closing(source, readNumber(source, 0, 9)) : 6 }
  switch (word) {
    case 'decimal': {
      expect(source, '(')
      const precision = readNumber(source, 1, 38)
      expect(source, ',')
      return { kind: 'decimal', precision, scale: closing(source, readNumber(source, 0, precision)) }
    }
    case 'vector':
      expect(source, '(')
      return { kind: 'vector', dimension: closing(source, readNumber(source, 1, limits.vectorDimensionMax)), elementId: 0 }
    case 'array': {
      expect(source, '<')
      const element = readType(source, depth + 1)
      expect(source, '>')
      return { kind: 'array', element, elementId: 0 }
    }
    case 'map': {
      expect(source, '<')
      const key = readType(source, depth + 1)
      expect(source, ',')
      const value = readType(source, depth + 1)
      expect(source, '>')
      return { kind: 'map', key, keyId: 0, value, valueId: 0 }
    }
    case 'row':
      return { kind: 'row', fields: readFields(source, depth) }
  }
  source.at = start
  const near = nearest(word, kinds)
  throw problem(
    source,
    `${quoted(word)} is not a type${near === undefined ? `: use ${forms.join(', ')}` : `; did you mean ${quoted(near)}?`}`,
  )
}

function readFields(source: Source, depth: number): readonly RowField[] {
  const fields: RowField[] = []
  const names = new Set<string>()
  expect(source, '<')
  do {
    if (++source.fields > limits.columnsMax) throw problem(source, `a type has at most ${limits.columnsMax} nested fields`)
    const name = columnName(readName(source), 'field')
    if (names.has(name)) throw problem(source, `the field ${quoted(name)} appears twice`)
    names.add(name)
    fields.push({ id: 0, name, type: readType(source, depth + 1) })
  } while (accept(source, ','))
  expect(source, '>')
  return fields
}

/** A plain word, or any text between double quotes with "" for a quote. */
function readName(source: Source): string {
  if (!accept(source, '"')) return readWord(source)
  let name = ''
  for (;;) {
    const end = source.text.indexOf('"', source.at)
    if (end < 0) throw problem(source, 'the closing quote of a field name is missing')
    name += source.text.slice(source.at, end)
    source.at = end + 1
    if (source.text[source.at] !== '"') return name
    name += '"'
    source.at++
  }
}

function readWord(source: Source): string {
  skipSpaces(source)
  const start = source.at
  while (/[A-Za-z0-9_]/.test(source.text.charAt(source.at))) source.at++
  if (source.at === start) throw problem(source, 'a type or a name is missing')
  return source.text.slice(start, source.at)
}

function readNumber(source: Source, min: number, max: number): number {
  skipSpaces(source)
  const digits = /^[0-9]{1,6}(?![0-9])/.exec(source.text.slice(source.at, source.at + 7))?.[0]
  const value = Number(digits)
  if (digits === undefined || value < min || value > max) throw problem(source, `a number from ${min} to ${max} is needed`)
  source.at += digits.length
  return value
}

function closing(source: Source, value: number): number {
  expect(source, ')')
  return value
}

function expect(source: Source, token: string): void {
  if (!accept(source, token)) throw problem(source, `"${token}" is missing`)
}

function accept(source: Source, token: string): boolean {
  skipSpaces(source)
  if (source.text[source.at] !== token) return false
  source.at++
  return true
}

function skipSpaces(source: Source): void {
  while (source.text[source.at] === ' ') source.at++
}

const printName = (name: string): string => (plainName.test(name) ? name : `"${name.replaceAll('"', '""')}"`)

const problem = (source: Source, what: string): SluiceError =>
  new SluiceError('invalid-schema', `type ${quoted(source.text)} at character ${source.at + 1}: ${what}`, {
    facts: { position: source.at + 1 },
  })
