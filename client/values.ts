/**
 * Values of columns between JavaScript and the contract's JSON. bigint is a bigint, binary a Uint8Array, map a Map, decimal and all
 * times are text as on the wire, because a double or a Date would lose digits; a Date is taken where a time is written.
 */

import { utf8, utf8Text } from '../core/kernel/bytes.ts'
import { SluiceError } from '../core/kernel/errors.ts'
import type { DataType } from '../core/model/types.ts'
import { base64Length, decodeBase64, putBase64 } from '../core/model/values/base64.ts'

export type Row = Readonly<Record<string, unknown>>
/** Undefined: a type that a newer server has; its values pass as they are. */
export type Types = ReadonlyMap<string, DataType | undefined>

/**
 * One line of NDJSON, with its end. Keys that no column has are sent as they are: the server knows more than we may. Errors:
 * `invalid-rows`: what JSON cannot say.
 */
export function rowLine(row: Row, types: Types): Uint8Array {
  return utf8(`${rowText(row, types)}\n`)
}

export const rowText = (row: Row, types: Types): string => objectText(row, (name) => types.get(name))

function objectText(row: Row, typeOf: (name: string) => DataType | undefined): string {
  const parts: string[] = []
  for (const name of Object.keys(row)) {
    const value = row[name]
    if (value !== undefined) parts.push(`${JSON.stringify(name)}:${valueText(value, typeOf(name))}`)
  }
  return `{${parts.join(',')}}`
}

function valueText(value: unknown, type: DataType | undefined): string {
  if (value === null || value === undefined) return 'null'
  if (typeof value === 'bigint') return type?.kind === 'string' ? `"${value}"` : value.toString()
  if (typeof value === 'number') return Number.isFinite(value) ? (Object.is(value, -0) ? '-0' : String(value)) : `"${value}"`
  if (typeof value === 'function' || typeof value === 'symbol') throw noValue(`a ${typeof value}`)
  if (typeof value !== 'object') return JSON.stringify(value)
  if (value instanceof Uint8Array && type?.kind !== 'vector' && type?.kind !== 'array') return `"${base64Of(value)}"`
  if (value instanceof Date) return `"${dateText(value, type)}"`
  if (value instanceof Map) return listText(value, ([key, held]) => pairText(key, held, type))
  if (Array.isArray(value) && type?.kind === 'map') return listText(value, ([key, held]) => pairText(key, held, type))
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    const element = type?.kind === 'array' ? type.element : undefined
    return listText(value as unknown as Iterable<unknown>, (each) => valueText(each, element))
  }
  const fields = type?.kind === 'row' ? type.fields : []
  return objectText(value as Row, (name) => fields.find((field) => field.name === name)?.type)
}

function pairText(key: unknown, value: unknown, type: DataType | undefined): string {
  const of = type?.kind === 'map' ? type : undefined
  return `[${valueText(key, of?.key)},${valueText(value, of?.value)}]`
}

const listText = <T>(values: Iterable<T>, text: (value: T) => string): string => `[${Array.from(values, text).join(',')}]`

const noValue = (text: string): SluiceError => new SluiceError('invalid-rows', `${text} is no value of a column`)

function dateText(value: Date, type: DataType | undefined): string {
  if (Number.isNaN(value.getTime())) throw noValue('an invalid Date')
  const text = value.toISOString()
  if (type?.kind === 'date') return text.slice(0, 10)
  if (type?.kind === 'time') return text.slice(11, -1)
  const precise = 'precision' in (type ?? {}) && (type as { precision: number }).precision === 0 ? text.replace('.000', '') : text
  return type?.kind === 'timestamp' ? precise.slice(0, -1) : precise
}

function base64Of(bytes: Uint8Array): string {
  const out = new Uint8Array(base64Length(bytes.length))
  putBase64(out, 0, bytes, 0, bytes.length)
  return utf8Text(out)
}

/** What a cell of an answer is; undefined where the type cannot be its type: the schema that we know is too old. */
export function readValue(value: unknown, type: DataType): unknown {
  if (value === null) return null
  switch (type.kind) {
    case 'tinyint':
    case 'smallint':
    case 'int':
      return typeof value === 'number' ? value : undefined
    case 'float':
    case 'double':
      return typeof value === 'number' || typeof value === 'string' ? Number(value) : undefined
    case 'bigint':
      return /^-?[0-9]+$/.test(String(value)) ? BigInt(value as string) : undefined
    case 'binary': {
      if (typeof value !== 'string') return undefined
      const text = utf8(value)
      return decodeBase64(text, 0, text.length)
    }
    case 'array':
      return (value as unknown[]).map((each) => readValue(each, type.element))
    case 'map':
      return new Map(
        (value as [unknown, unknown][]).map(([key, held]) => [readValue(key, type.key), readValue(held, type.value)]),
      )
    case 'row':
      return Object.fromEntries(
        Object.entries(value as Row).map(([name, held]) => {
          const field = type.fields.find((each) => each.name === name)
          return [name, field === undefined ? held : readValue(held, field.type)]
        }),
      )
    case 'vector':
      return (value as (number | string)[]).map(Number)
    default:
      return value
  }
}

/** Undefined where a column is not known, or not of the type that we know. */
export function readRow(row: Row, types: Types): Row | undefined {
  const out: Record<string, unknown> = {}
  for (const [name, held] of Object.entries(row)) {
    if (!types.has(name) && !name.startsWith('__')) return undefined
    const type = types.get(name)
    const value = type === undefined ? held : readValue(held, type)
    if (value === undefined) return undefined
    // a column may be called as what objects have
    Object.defineProperty(out, name, { value, enumerable: true, writable: true, configurable: true })
  }
  return out
}
