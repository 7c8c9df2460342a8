/**
 * Values of a Parquet column as the contract's JSON text, digit by digit: hyparquet is told nothing of decimals, dates and times, which
 * it would take through doubles and milliseconds, so what comes is what lies in the file.
 */
import type { FileMetaData, parquetSchema } from 'hyparquet'
import type { DataType } from '../../core/model/types.ts'
import { Failure } from '../failure.ts'
import { typeOf } from './types.ts'

type SchemaTree = ReturnType<typeof parquetSchema>
type SchemaElement = SchemaTree['element']
type Write = (value: unknown) => string

/** The same file, with strings, lists and maps marked and nothing else. */
export function withRawValues(metadata: FileMetaData): FileMetaData {
  return { ...metadata, schema: metadata.schema.map(rawElement) }
}

const textual: ReadonlySet<string | undefined> = new Set(['STRING', 'UTF8', 'ENUM', 'JSON'])

function rawElement(element: SchemaElement): SchemaElement {
  const { logical_type: logical, converted_type: converted, ...rest } = element
  const kind = logical?.type ?? converted
  if (textual.has(kind)) return { ...rest, converted_type: 'UTF8' }
  if (kind === 'LIST') return { ...rest, converted_type: 'LIST' }
  return kind === 'MAP' || kind === 'MAP_KEY_VALUE' ? { ...rest, converted_type: 'MAP' } : rest
}

/** `node` of the file as it is, values as `withRawValues` reads them. */
export function textWriter(node: SchemaTree): Write {
  if (node.element.repetition_type === 'REPEATED') {
    const element = node.children.length === 0 ? leafWriter(node) : rowWriter(node.children)
    return listOf(element)
  }
  return nodeWriter(node)
}

function nodeWriter(node: SchemaTree): Write {
  const { element, children } = node
  const [inner] = children
  if (inner === undefined) return leafWriter(node)
  const kind = element.logical_type?.type ?? element.converted_type
  const [first, second] = inner.children
  if (kind === 'LIST') return listOf(first !== undefined && second === undefined ? textWriter(first) : nodeWriter(inner))
  return first !== undefined && second !== undefined && kind !== undefined ? mapWriter(first, second) : rowWriter(children)
}

const nullable =
  (write: Write): Write =>
  (value) =>
    value === undefined || value === null ? 'null' : write(value)

const listOf = (element: Write): Write => nullable((value) => `[${Array.from(value as ArrayLike<unknown>, element).join()}]`)

function rowWriter(children: readonly SchemaTree[]): Write {
  const fields = children.map((child) => ({
    name: child.element.name,
    key: JSON.stringify(child.element.name),
    write: textWriter(child),
  }))
  return nullable((value) => {
    const row = value as Record<string, unknown>
    return `{${fields.map(({ name, key, write }) => `${key}:${write(row[name])}`).join()}}`
  })
}

/** They come as objects, so their keys as text. */
function mapWriter(key: SchemaTree, value: SchemaTree): Write {
  const writeKey = leafWriter(key)
  const writeValue = textWriter(value)
  return nullable((map) => {
    const entries = Object.entries(map as object).map(([text, each]) => `[${writeKey(keyOf(key, text))},${writeValue(each)}]`)
    return `[${entries.join()}]`
  })
}

function keyOf({ element }: SchemaTree, text: string): unknown {
  if (element.type === 'BOOLEAN') return text === 'true'
  if (element.type === 'INT64') return BigInt(text)
  if (element.type === 'INT32' || element.type === 'FLOAT' || element.type === 'DOUBLE') return Number(text)
  if (textual.has(element.logical_type?.type ?? element.converted_type)) return text
  throw new Failure(`the keys of a map are ${element.type}, which this command cannot read from a Parquet file`)
}

function leafWriter(node: SchemaTree): Write {
  const { element } = node
  const logical = element.logical_type?.type
  if (logical === 'UUID') return nullable((value) => `"${uuid(value as Uint8Array)}"`)
  if (logical === 'FLOAT16') return nullable((value) => number(float16(value as Uint8Array)))
  return nullable(writerOf(typeOf(node), node))
}

function writerOf(type: DataType, { element }: SchemaTree): Write {
  switch (type.kind) {
    case 'string':
      return (value) => JSON.stringify(value)
    case 'binary':
      return (value) => `"${Buffer.from(value as Uint8Array).toString('base64')}"`
    case 'float':
    case 'double':
      return (value) => number(value as number)
    case 'bigint':
      // 32 bits without a sign come as 32 bits with one
      return (value) => `"${typeof value === 'number' ? value >>> 0 : value}"`
    case 'decimal':
      return isUnsigned64(element)
        ? (value) => `"${BigInt.asUintN(64, value as bigint)}"`
        : (value) => `"${decimal(unscaled(value), type.scale)}"`
    case 'date':
      return (value) => `"${new Date((value as number) * 86_400_000).toISOString().slice(0, 10)}"`
    case 'time':
      return (value) => `"${moment(BigInt(value as bigint), type.precision).slice(11)}"`
    case 'timestamp':
      return (value) => `"${moment(BigInt(value as bigint), type.precision)}"`
    case 'timestamp_ltz':
      return (value) => `"${moment(BigInt(value as bigint), type.precision)}Z"`
    default:
      return String
  }
}

const isUnsigned64 = ({ logical_type: logical, converted_type: converted }: SchemaElement): boolean =>
  logical?.type === 'INTEGER' || (logical === undefined && converted === 'UINT_64')

const number = (value: number): string => (Number.isFinite(value) ? String(value) : `"${value}"`)

function uuid(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

/** Little-endian. */
function float16([low = 0, high = 0]: Uint8Array): number {
  const sign = high & 0x80 ? -1 : 1
  const exponent = (high >> 2) & 0x1f
  const fraction = (((high & 3) << 8) | low) / 1024
  if (exponent === 0) return sign * 2 ** -14 * fraction
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * 2 ** (exponent - 15) * (1 + fraction)
}

/** Bytes are big-endian, in two's complement. */
function unscaled(value: unknown): bigint {
  if (!(value instanceof Uint8Array)) return BigInt(value as number | bigint)
  const digits = value.length === 0 ? 0n : BigInt(`0x${Buffer.from(value).toString('hex')}`)
  return BigInt.asIntN(value.length * 8, digits)
}

function decimal(value: bigint, scale: number): string {
  if (scale === 0) return String(value)
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0')
  return `${value < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

/** `2026-11-21T09:30:00.123`, of units since 1970. */
function moment(units: bigint, precision: number): string {
  const perSecond = 10n ** BigInt(precision)
  const fraction = ((units % perSecond) + perSecond) % perSecond
  const second = (units - fraction) / perSecond
  return `${new Date(Number(second) * 1000).toISOString().slice(0, -5)}.${String(fraction).padStart(precision, '0')}`
}
