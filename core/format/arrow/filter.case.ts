/** Random filters over random rows, for tests: what is asked, and how it is written in the notation of `where`. */
import fc from 'fast-check'
import { limits } from '../../kernel/limits.ts'
import { anyType, scalarType } from '../../model/types.case.ts'
import { type DataType, unitOfPrecision } from '../../model/types.ts'
import { fieldOf, type Plain, valueOfType } from './batch.case.ts'
import type { Field } from './column.ts'
import {
  type Asked,
  comparisons,
  likes,
  lists,
  type Operator,
  type Place,
  presences,
  ranges,
  valueIn,
} from './filter-judge.case.ts'

/** Rows, and what is asked of them. */
export interface AskedRows {
  readonly fields: readonly Field[]
  readonly rows: readonly (readonly Plain[])[]
  /** Of the same columns, for bounds that are wider than they have to be. */
  readonly others: readonly (readonly Plain[])[]
  readonly asked: Asked
}

/** In the notation of `where`. */
export function textOf(asked: Asked): string {
  switch (asked.kind) {
    case 'not':
      return `not (${textOf(asked.part)})`
    case 'and':
    case 'or':
      return asked.parts.map((part) => `(${textOf(part)})`).join(` ${asked.kind} `)
    case 'test': {
      const { operator, place, values } = asked
      const literals = values.map((value) => literalText(place.type, value))
      const shown = operator.endsWith('in') ? `(${literals.join(', ')})` : literals.join(' and ')
      return `${place.name} ${operator} ${shown}`.trimEnd()
    }
  }
}

function literalText(type: DataType, value: Plain): string {
  switch (type.kind) {
    case 'boolean':
    case 'bigint':
      return String(value)
    case 'decimal':
      return decimalText(value as bigint, type.scale)
    case 'string':
      return textLiteral(value as string)
    case 'binary':
      return textLiteral(Buffer.from(value as Uint8Array).toString('base64'))
    case 'date':
      return textLiteral(new Date((value as number) * 86_400_000).toISOString().slice(0, 10))
    case 'time':
      return textLiteral(momentText(value as bigint, type.precision).slice(11))
    case 'timestamp':
      return textLiteral(momentText(value as bigint, type.precision))
    case 'timestamp_ltz':
      return textLiteral(`${momentText(value as bigint, type.precision)}Z`)
    default:
      return Number.isFinite(value) ? String(value) : textLiteral(String(value))
  }
}

const textLiteral = (text: string): string => `'${text.replaceAll("'", "''")}'`

function decimalText(value: bigint, scale: number): string {
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0')
  const whole = digits.slice(0, digits.length - scale)
  return `${value < 0n ? '-' : ''}${whole}${scale === 0 ? '' : `.${digits.slice(-scale)}`}`
}

function momentText(value: bigint, precision: number): string {
  const digits = { s: 0, ms: 3, us: 6, ns: 9 }[unitOfPrecision(precision)]
  const unit = 10n ** BigInt(digits)
  const fraction = ((value % unit) + unit) % unit
  const seconds = new Date(Number((value - fraction) / unit) * 1000).toISOString().slice(0, 19)
  return digits === 0 ? seconds : `${seconds}.${String(fraction).padStart(digits, '0')}`
}

const word = fc.constantFrom('a', 'b', 'C', '_d')

/** Rows inside rows, under names that a path can have. */
const rowType: fc.Arbitrary<DataType> = fc
  .uniqueArray(fc.tuple(word, fc.oneof(scalarType, scalarType.map(inRow))), {
    minLength: 1,
    maxLength: 3,
    selector: ([name]) => name,
  })
  .map((fields): DataType => ({ kind: 'row', fields: fields.map(([name, type]) => ({ id: 0, name, type })) }))

function inRow(type: DataType): DataType {
  return { kind: 'row', fields: [{ id: 0, name: 'in', type }] }
}

const columnName = fc.oneof(word, fc.constantFrom('größe', 'say "x"', 'a.b', 'not', '0'))
const columnType = fc.oneof(
  { weight: 6, arbitrary: scalarType },
  { weight: 2, arbitrary: rowType },
  { weight: 1, arbitrary: anyType },
)
const columnFields = fc
  .uniqueArray(fc.tuple(columnName, columnType), { minLength: 1, maxLength: 3, selector: ([name]) => name })
  .map((columns) => columns.map(([name, type], i) => fieldOf(name, type, true, i + 4)))

/** So alike that patterns match, and long enough for more than 32 states. */
const alike = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '😀', '%', '_', '\\', "'"), maxLength: 40, size: '+1' })

/** As batch.case.ts makes them, half of them out of the few that lie side by side or at an end. */
function valueFor(type: DataType): fc.Arbitrary<Plain> {
  if (type.kind === 'row') return fc.tuple(...type.fields.map((field) => orNull(valueFor(field.type))))
  const close = closeValue(type)
  return close === undefined ? valueOfType(type) : fc.oneof(close, valueOfType(type))
}

function closeValue(type: DataType): fc.Arbitrary<Plain> | undefined {
  switch (type.kind) {
    case 'tinyint':
    case 'smallint':
    case 'int':
    case 'date':
      return fc.integer({ min: -2, max: 2 })
    case 'bigint':
      return fc.constantFrom(-1n, 0n, 1n, 2n ** 32n - 1n, 2n ** 32n, -(2n ** 63n), 2n ** 63n - 1n)
    case 'decimal':
      return fc.bigInt({ min: -2n, max: 2n })
    case 'float':
      return fc.constantFrom(0, -0, 1, Math.fround(0.1), 2 ** -149, ...specials)
    case 'double':
      return fc.constantFrom(0, -0, 1, 1 + Number.EPSILON, Number.MIN_VALUE, -Number.MIN_VALUE, ...specials)
    case 'time':
      return fc.bigInt({ min: 0n, max: 2n }).map((steps) => steps * stepOf(type.precision))
    case 'timestamp':
    case 'timestamp_ltz':
      return fc.bigInt({ min: -2n, max: 2n }).map((steps) => steps * stepOf(type.precision))
    case 'string':
      return fc.oneof(fc.string({ unit: fc.constantFrom('a', 'b', 'é'), maxLength: 2 }), alike)
    default:
      return undefined
  }
}

const specials = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
const stepOf = (precision: number): bigint => 10n ** BigInt((9 - precision) % 3)

const orNull = (value: fc.Arbitrary<Plain>): fc.Arbitrary<Plain> => fc.option(value, { freq: 5 })

export const askedRows: fc.Arbitrary<AskedRows> = columnFields.chain((fields) => {
  const row = fc.tuple(...fields.map(({ type }) => orNull(valueFor(type))))
  // whole words of 32 rows, and more than one
  const rows = fc.oneof(fc.array(row, { maxLength: 5 }), fc.array(row, { minLength: 30, maxLength: 70 }))
  return fc.tuple(rows, fc.array(row, { maxLength: 2 })).chain(([known, others]) =>
    fc
      .oneof(...placesOf(fields).map((place) => testOf(place, known)))
      .chain((first) => askedOf(first, fc.oneof(...placesOf(fields).map((place) => testOf(place, known)))))
      .filter((asked) => Buffer.byteLength(textOf(asked)) <= limits.filterBytesMax)
      .map((asked) => ({ fields, rows: known, others, asked })),
  )
})

/** A test, or a few of them joined in any way. */
const askedOf = (first: Asked, test: fc.Arbitrary<Asked>): fc.Arbitrary<Asked> =>
  fc.letrec<{ asked: Asked }>((tie) => ({
    asked: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      { weight: 2, arbitrary: fc.oneof(fc.constant(first), test) },
      { weight: 1, arbitrary: tie('asked').map((part): Asked => ({ kind: 'not', part })) },
      {
        weight: 2,
        arbitrary: fc
          .tuple(fc.constantFrom('and', 'or'), fc.array(tie('asked'), { minLength: 2, maxLength: 3 }))
          .map(([kind, parts]): Asked => ({ kind, parts })),
      },
    ),
  })).asked

function placesOf(fields: readonly Field[]): readonly Place[] {
  return fields.flatMap(({ name, type }, i) => [
    { path: [i], name: isWord(name) ? name : `"${name.replaceAll('"', '""')}"`, type },
    ...(isWord(name) ? placesIn(type, [i], name) : []),
  ])
}

function placesIn(type: DataType, path: readonly number[], name: string): readonly Place[] {
  if (type.kind !== 'row') return []
  return type.fields.flatMap((field, i) => {
    if (!isWord(field.name)) return []
    const place = { path: [...path, i], name: `${name}.${field.name}`, type: field.type }
    return [place, ...placesIn(place.type, place.path, place.name)]
  })
}

/** Quotes are needed by no keyword but `not`, where a test begins with it. */
const isWord = (name: string): boolean => /^[A-Za-z_]\w*$/.test(name) && name !== 'not'

function testOf(place: Place, rows: readonly (readonly Plain[])[]): fc.Arbitrary<Asked> {
  const test = (operator: Operator, values: readonly Plain[]): Asked => ({ kind: 'test', place, operator, values })
  const presence = fc.constantFrom(...presences).map((operator) => test(operator, []))
  if (['array', 'map', 'row', 'vector'].includes(place.type.kind)) return presence
  const literal = literalOf(place, rows)
  const tests = [
    fc.tuple(fc.constantFrom(...comparisons), literal).map(([operator, value]) => test(operator, [value])),
    fc.tuple(fc.constantFrom(...lists), fc.array(literal, { minLength: 1, maxLength: 5 })).map((parts) => test(...parts)),
    fc.tuple(fc.constantFrom(...ranges), literal, literal).map(([operator, low, high]) => test(operator, [low, high])),
    presence,
  ]
  if (place.type.kind !== 'string') return fc.oneof(...tests)
  const like = fc.tuple(fc.constantFrom(...likes), patternOf(literal as fc.Arbitrary<string>))
  return fc.oneof(...tests, ...[1, 2].map(() => like.map(([operator, pattern]) => test(operator, [pattern]))))
}

/** Mostly values that there are, or those beside them; of floats also doubles that round to one. */
function literalOf({ type, path }: Place, rows: readonly (readonly Plain[])[]): fc.Arbitrary<Plain> {
  const known = rows.map((row) => valueIn(row, path)).filter((value) => value !== null)
  const any = valueFor(type)
  if (known.length === 0) return any
  const present = fc.constantFrom(...known)
  if (type.kind !== 'float') return fc.oneof({ weight: 3, arbitrary: present }, { weight: 1, arbitrary: any })
  return fc.oneof(
    present,
    present.map((value) => (value as number) * (1 - 1e-10)),
    any,
  )
}

/** A text of which some characters became wildcards, or are gone. */
function patternOf(text: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const change = fc.constantFrom('same', 'same', 'same', '_', '%', '%%', '')
  return fc
    .tuple(text, fc.infiniteStream(change), fc.constantFrom('', '%'))
    .map(([from, changes, end]) => [...from].map((letter) => replaced(letter, changes.next().value)).join('') + end)
}

const replaced = (letter: string, change: string): string => (change === 'same' ? letter : change)
