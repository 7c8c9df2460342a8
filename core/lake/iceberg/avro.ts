/**
 * Avro object container files (Avro 1.12 specification, "Object Container Files") in memory. Written: one block, deflate, the schema
 * as the object that was given, so that its `field-id`s reach the file. Read: any writer's, by field ids. Longs are bigints.
 */
import { deflateRawSync } from 'node:zlib'
import avro from 'avsc'
import { utf8, utf8Text } from '../../kernel/bytes.ts'
import { isSluiceError, SluiceError } from '../../kernel/errors.ts'
import type { Random } from '../../kernel/random.ts'
import { expandBlock } from './avro-codec.ts'
import { typeHook } from './avro-counts.ts'
import { covers, projection } from './avro-projection.ts'

export interface AvroRecordSchema {
  readonly type: 'record'
  readonly name: string
  readonly fields: readonly AvroField[]
}

export interface AvroField {
  readonly name: string
  readonly type: unknown
  readonly 'field-id': number
  /** Of a long too a number. */
  readonly default?: null | 0
}

/** `metadata`: the file's key-value pairs beside `avro.schema` and `avro.codec`. */
export function encodeAvroFile(
  schema: AvroRecordSchema,
  records: readonly object[],
  options: { readonly metadata: Readonly<Record<string, string>>; readonly random: Random },
): Uint8Array {
  const type = typeOf(schema)
  const sync = Buffer.from(options.random.bytes(16))
  const meta: Record<string, Buffer> = { 'avro.schema': text(JSON.stringify(schema)), 'avro.codec': text('deflate') }
  for (const [name, value] of Object.entries(options.metadata)) meta[name] = text(value)
  const block = deflateRawSync(Buffer.concat(records.map((record) => type.toBuffer(record))))
  const counts = records.length === 0 ? [] : [long.toBuffer(records.length), long.toBuffer(block.length), block, sync]
  return new Uint8Array(Buffer.concat([header.toBuffer({ magic, meta, sync }), ...counts]))
}

/** The file's key-value pairs, undefined where it is no Avro file. */
export function avroMetadata(bytes: Uint8Array): Readonly<Record<string, string>> | undefined {
  if (bytes.length < magic.length || !magic.equals(bytes.subarray(0, magic.length))) return undefined
  const { value: head, offset } = header.decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), 0)
  if (offset < 0) return undefined
  return Object.fromEntries(Object.entries(head.meta).map(([name, value]) => [name, utf8Text(value)]))
}

/** Is it a file whose schema and codec are the very ones that encodeAvroFile would write? */
export function isWrittenWith(schema: AvroRecordSchema, bytes: Uint8Array): boolean {
  const { 'avro.schema': written, 'avro.codec': codec } = avroMetadata(bytes) ?? {}
  return written === JSON.stringify(schema) && codec === 'deflate'
}

/** What files may still take of a process, together: each that is read takes its part. */
export interface AvroRoom {
  /** Expanded. */
  bytes: number
  records: number
}

const fileBytesMax = 256 * 1024 * 1024

/** The records as `schema` says, whoever wrote the file. Whatever is wrong with the bytes is an `internal` error. */
export function decodeAvroFile(
  schema: AvroRecordSchema,
  bytes: Uint8Array,
  room: AvroRoom = { bytes: fileBytesMax, records: Number.MAX_SAFE_INTEGER },
): unknown[] {
  try {
    return decodeFile(schema, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), room)
  } catch (error) {
    if (isSluiceError(error)) throw error
    throw new SluiceError('internal', 'an avro file cannot be read', { cause: error })
  }
}

function decodeFile(schema: AvroRecordSchema, file: Buffer, room: AvroRoom): unknown[] {
  const { value: head, offset } = header.decode(file, 0)
  check(offset > 0 && magic.equals(head.magic), 'it does not begin with an avro header')
  const { type, project } = readerOf(schema, utf8Text(head.meta['avro.schema'] ?? utf8('')))
  const codec = utf8Text(head.meta['avro.codec'] ?? utf8('null'))
  const records: unknown[] = []
  let at = offset
  while (at < file.length) {
    const count = long.decode(file, at)
    const size = long.decode(file, count.offset)
    const end = size.offset + size.value
    check(count.offset > 0 && count.value >= 0 && size.offset > 0 && size.value >= 0 && end + 16 <= file.length, 'a block is cut')
    check(head.sync.equals(file.subarray(end, end + 16)), 'a block does not end with the sync marker')
    const expanded = expandBlock(codec, file.subarray(size.offset, end), Math.max(1, room.bytes))
    room.bytes -= expanded.length
    room.records -= count.value
    check(room.bytes >= 0 && room.records >= 0, 'it holds more than there is room for')
    const block = Buffer.from(expanded.buffer, expanded.byteOffset, expanded.length)
    let position = 0
    for (let i = 0; i < count.value; i++) {
      const decoded = type.decode(block, position)
      check(decoded.offset > position, 'a record is cut')
      position = decoded.offset
      records.push(project(decoded.value))
    }
    at = end + 16
  }
  return records
}

/** Whether the file says nothing for which `schema` has no place, so that reading it by that schema loses nothing. */
export function isWithin(schema: AvroRecordSchema, bytes: Uint8Array): boolean {
  const { 'avro.schema': written = '' } = avroMetadata(bytes) ?? {}
  if (written.length > schemaLengthMax) return false
  try {
    return covers(schema, JSON.parse(written))
  } catch {
    return false
  }
}

/** Ours as it is, anybody else's by field ids. */
function readerOf(schema: AvroRecordSchema, written: string): { type: Codec<unknown>; project: (value: unknown) => unknown } {
  if (written === JSON.stringify(schema)) return { type: typeOf(schema), project: (value) => value }
  check(written.length <= schemaLengthMax, 'its schema is too long')
  const given = JSON.parse(written) as AvroRecordSchema
  return { project: projection(schema, given), type: compile(given) }
}

const schemaLengthMax = 1024 * 1024

function check(holds: boolean, why: string): void {
  if (!holds) throw new SluiceError('internal', `an avro file cannot be read: ${why}`)
}

const magic = Buffer.from('Obj\x01', 'latin1')
const text = (value: string): Buffer => Buffer.from(utf8(value))

interface Codec<T> {
  toBuffer(value: T): Buffer
  /** `offset` is -1 where the bytes end too early. */
  decode(bytes: Buffer, offset: number): { readonly value: T; readonly offset: number }
}

const header = avro.Type.forSchema(
  {
    type: 'record',
    name: 'header',
    fields: [
      { name: 'magic', type: { type: 'fixed', name: 'magic', size: 4 } },
      { name: 'meta', type: { type: 'map', values: 'bytes' } },
      { name: 'sync', type: { type: 'fixed', name: 'sync', size: 16 } },
    ],
  },
  { typeHook },
) as Codec<{ magic: Buffer; meta: Record<string, Buffer>; sync: Buffer }>
const long = avro.Type.forSchema('long') as Codec<number>

/** As avsc's own, with bigints. */
export const bigLong = avro.types.LongType.__with({
  fromBuffer: (bytes: Buffer): bigint => bytes.readBigInt64LE(),
  toBuffer: (value: bigint): Buffer => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64LE(value)
    return bytes
  },
  fromJSON: BigInt,
  toJSON: String,
  isValid: (value: unknown): boolean => typeof value === 'bigint',
  compare: (a: bigint, b: bigint): number => (a === b ? 0 : a < b ? -1 : 1),
})

/** Compiling a schema costs more than encoding a manifest. */
const compiled = new WeakMap<AvroRecordSchema, Codec<unknown>>()

function typeOf(schema: AvroRecordSchema): Codec<unknown> {
  const known = compiled.get(schema)
  if (known !== undefined) return known
  const type = compile(schema)
  compiled.set(schema, type)
  return type
}

const compile = (schema: AvroRecordSchema): Codec<unknown> =>
  avro.Type.forSchema(withoutLogical(schema) as never, {
    registry: { long: bigLong },
    wrapUnions: false,
    typeHook,
  }) as Codec<unknown>

/** For the codec alone, which takes no account of logical types and would not know our longs behind one. */
function withoutLogical(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutLogical)
  if (typeof schema !== 'object' || schema === null) return schema
  const { type } = schema as { readonly type?: unknown }
  if ('logicalType' in schema && (type === 'int' || type === 'long')) return type
  return Object.fromEntries(
    Object.entries(schema).map(([name, value]) => [name, nesting.has(name) ? withoutLogical(value) : value]),
  )
}

const nesting: ReadonlySet<string> = new Set(['type', 'fields', 'items', 'values'])
