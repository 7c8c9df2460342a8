/**
 * Avro object container files (Avro 1.12 specification, "Object Container Files") in memory, one block, deflate. Longs are
 * bigints. The schema is kept as the object that was given, so that its `field-id`s reach the file. Reads only what this
 * file wrote.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import avro from 'avsc'
import { assert } from '../../kernel/assert.ts'
import { utf8 } from '../../kernel/bytes.ts'
import type { Random } from '../../kernel/random.ts'

export interface AvroRecordSchema {
  readonly type: 'record'
  readonly name: string
  readonly fields: readonly AvroField[]
}

export interface AvroField {
  readonly name: string
  readonly type: unknown
  readonly 'field-id': number
  readonly default?: null
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

/** Is it a file whose schema and codec are the very ones that encodeAvroFile would write? */
export function isWrittenWith(schema: AvroRecordSchema, bytes: Uint8Array): boolean {
  if (bytes.length < magic.length || !magic.equals(bytes.subarray(0, magic.length))) return false
  const { value, offset } = header.decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), 0)
  if (offset < 0) return false
  const { 'avro.schema': written, 'avro.codec': codec } = value.meta
  return written?.equals(text(JSON.stringify(schema))) === true && codec?.equals(text('deflate')) === true
}

/** The records of a file that encodeAvroFile wrote with this schema. */
export function decodeAvroFile(schema: AvroRecordSchema, bytes: Uint8Array): unknown[] {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const { value: head, offset } = header.decode(file, 0)
  assert(offset > 0 && magic.equals(head.magic), 'an avro file begins with its header')
  const type = typeOf(schema)
  const records: unknown[] = []
  let at = offset
  while (at < file.length) {
    const count = long.decode(file, at)
    const size = long.decode(file, count.offset)
    const end = size.offset + size.value
    assert(count.offset > 0 && size.offset > 0 && end + 16 <= file.length, 'an avro block is whole')
    assert(head.sync.equals(file.subarray(end, end + 16)), 'an avro block ends with the sync marker')
    const block = inflateRawSync(file.subarray(size.offset, end), { maxOutputLength: blockBytesMax })
    let position = 0
    for (let i = 0; i < count.value; i++) {
      const decoded = type.decode(block, position)
      assert(decoded.offset > position, 'an avro record is whole')
      position = decoded.offset
      records.push(decoded.value)
    }
    at = end + 16
  }
  return records
}

const blockBytesMax = 256 * 1024 * 1024
const magic = Buffer.from('Obj\x01', 'latin1')
const text = (value: string): Buffer => Buffer.from(utf8(value))

interface Codec<T> {
  toBuffer(value: T): Buffer
  /** `offset` is -1 where the bytes end too early. */
  decode(bytes: Buffer, offset: number): { readonly value: T; readonly offset: number }
}

const header = avro.Type.forSchema({
  type: 'record',
  name: 'header',
  fields: [
    { name: 'magic', type: { type: 'fixed', name: 'magic', size: 4 } },
    { name: 'meta', type: { type: 'map', values: 'bytes' } },
    { name: 'sync', type: { type: 'fixed', name: 'sync', size: 16 } },
  ],
}) as Codec<{ magic: Buffer; meta: Record<string, Buffer>; sync: Buffer }>
const long = avro.Type.forSchema('long') as Codec<number>

const bigLong = avro.types.LongType.__with({
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
  const type = avro.Type.forSchema(schema as never, { registry: { long: bigLong }, wrapUnions: false }) as Codec<unknown>
  compiled.set(schema, type)
  return type
}
