/** Manifest lists that other writers made, and bytes that nobody should have made. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { utf8 } from '../../kernel/bytes.ts'
import { isSluiceError } from '../../kernel/errors.ts'
import { type Codec, foreignAvro } from '../engine.case.ts'
import { type AvroField, type AvroRecordSchema, avroMetadata, decodeAvroFile } from './avro.ts'
import { expandSnappy } from './avro-codec.ts'
import { covers, projection } from './avro-projection.ts'

const random = { bytes: (count: number) => new Uint8Array(count).fill(7) }
const field = (id: number, name: string, type: unknown) => ({ name, type, 'field-id': id })
const record = (...fields: AvroField[]): AvroRecordSchema => ({ type: 'record', name: 'r', fields })

const ours = record(
  field(1, 'path', 'string'),
  field(2, 'rows', 'long'),
  {
    ...field(3, 'parts', ['null', { type: 'array', items: record(field(4, 'low', 'bytes'), field(5, 'at', 'int')) }]),
    default: null,
  },
  { ...field(6, 'late', ['null', 'long']), default: null },
)
const theirs = record(
  field(3, 'p', { type: 'array', items: { ...record(field(5, 'b', 'long'), field(4, 'a', ['null', 'bytes'])), name: 'inner' } }),
  field(9, 'unknown', { type: 'map', values: 'string' }),
  field(2, 'count', 'int'),
  field(1, 'file', ['null', 'string']),
)
const written = (at: number) => ({ p: [{ b: BigInt(at), a: Buffer.from([at]) }], unknown: { x: 'y' }, count: at, file: `f${at}` })
const read = (at: number) => ({ path: `f${at}`, rows: BigInt(at), parts: [{ low: Buffer.from([at]), at }], late: null })

describe.each<Codec>(['null', 'deflate', 'zstandard', 'snappy'])('codec %s', (codec) => {
  test('fields are found by their ids, whatever their names and order', () => {
    for (const count of [0, 1, 5, 200]) {
      const rows = Array.from({ length: count }, (_, at) => at % 100)
      expect(decodeAvroFile(ours, foreignAvro(theirs, rows.map(written), codec, random))).toEqual(rows.map(read))
    }
  })
})

test('a record of no fields beside others is read, as the partition of a table without partitions', () => {
  const none = { ...record(), name: 'none' }
  const [to, from] = [ours, theirs].map(({ fields, ...schema }) => ({ ...schema, fields: [...fields, field(7, 'of', none)] }))
  const file = foreignAvro(from as AvroRecordSchema, [{ ...written(1), of: {} }], 'deflate', random)
  expect(decodeAvroFile(to as AvroRecordSchema, file)).toEqual([{ ...read(1), of: {} }])
})

describe('a count of more items than there are bytes ends at once', () => {
  // Of 2^31 - 1: for more of an array the codec has an error of its own.
  const many = [0xfe, 0xff, 0xff, 0xff, 0x0f]
  const unreadable = /an avro file cannot be read/
  test('in the header', () => {
    const file = Uint8Array.from([...utf8('Obj\u0001'), ...many, ...new Array(64).fill(0xff)])
    expect(() => decodeAvroFile(ours, file)).toThrow(unreadable)
    expect(avroMetadata(file)).toBeUndefined()
  })

  test.each([
    ['an array', 3, [...many, 2, 2, 2]],
    ['an array that says its size', 3, [0xfd, 0xff, 0xff, 0xff, 0x0f, 2, 2, 2]],
    ['a map', 9, [...many, 2, 97, 2, 97]],
  ])('in %s', (_what, id, bytes) => {
    const one = record(...theirs.fields.filter((each) => each['field-id'] === id))
    const empty = foreignAvro(one, [{ p: [], unknown: {} }], 'null', random)
    // The block is a count, a size, the empty array or map, and the sync marker.
    const head = empty.subarray(0, -19)
    const file = Uint8Array.from([...head, 2, 2 * bytes.length, ...bytes, ...empty.subarray(-16)])
    const wanted = record({ ...field(8, 'late', ['null', 'long']), default: null })
    expect(() => decodeAvroFile(wanted, file)).toThrow(unreadable)
    expect(decodeAvroFile(wanted, empty)).toEqual([{ late: null }])
  })
})

test('records that name each other again and again are looked at once', () => {
  const level = (at: number): object => ({
    type: 'record',
    name: `level${at}`,
    fields: Array.from({ length: 20 }, (_, i) => ({
      name: `f${i}`,
      type: at === 0 ? 'int' : i === 0 ? level(at - 1) : `level${at - 1}`,
    })),
  })
  expect(() => projection(ours, { ...theirs, fields: [...theirs.fields, field(7, 'many', level(12))] })).not.toThrow()
})

const known = record(...theirs.fields.filter(({ name }) => name !== 'unknown'))

test.each<[string, AvroRecordSchema, boolean]>([
  ['what we know', known, true],
  ['what we write ourselves', ours, true],
  ['a field of another id', theirs, false],
  ['a field without an id', record(...known.fields, { name: 'x', type: 'int' } as unknown as AvroField), false],
  ['two fields of one id', record(...known.fields, field(1, 'x', 'string')), false],
  ['another type', record(field(1, 'path', 'bytes'), field(2, 'rows', 'long')), false],
  [
    'a field deep within',
    record(
      field(1, 'path', 'string'),
      field(2, 'rows', 'long'),
      field(3, 'p', { type: 'array', items: record(field(4, 'low', 'bytes'), field(5, 'at', 'int'), field(77, 'x', 'int')) }),
    ),
    false,
  ],
])('whether reading a file loses something is told by its schema: %s', (_, schema, whole) => {
  expect(covers(ours, schema)).toBe(whole)
})

test('a long that is no int where one must be is refused, not cut', () => {
  const file = foreignAvro(theirs, [written(1), { ...written(2), p: [{ b: 2n ** 31n, a: Buffer.of(1) }] }], 'deflate', random)
  expect(() => decodeAvroFile(ours, file)).toThrow(/no int/)
})

test('files take their part of one room, and the one for which none is left is refused', () => {
  const file = foreignAvro(theirs, [written(1), written(2)], 'deflate', random)
  const room = { bytes: 1_000, records: 5 }
  expect(decodeAvroFile(ours, file, room)).toHaveLength(2)
  expect(room).toMatchObject({ bytes: expect.any(Number), records: 3 })
  expect(room.bytes).toBeLessThan(1_000)
  decodeAvroFile(ours, file, room)
  expect(() => decodeAvroFile(ours, file, room)).toThrow(/room/)
  expect(() => decodeAvroFile(ours, file, { bytes: 10, records: 5 })).toThrow('an avro file cannot be read')
})

test('snappy: literals of every length, copies that overlap themselves', () => {
  // 'abcabcabcabcX': a literal of 3, a copy of 9 from 3 back, a literal of 1.
  const input = Uint8Array.of(13, 2 << 2, 97, 98, 99, ((9 - 4) << 2) | 1, 3, 0, 88)
  expect(Buffer.from(expandSnappy(input, 1 << 20)).toString()).toBe('abcabcabcabcX')
  const long = new Uint8Array(70_000).fill(65)
  const head = Uint8Array.of(0xf0, 0xa2, 0x04, 62 << 2, 0x6f, 0x11, 0x01)
  expect(expandSnappy(Uint8Array.from([...head, ...long]), 1 << 20)).toEqual(long)
})

test.each([
  ['cut after its length', [13]],
  ['a copy from before the beginning', [4, 1, 1]],
  ['a copy of nothing back', [5, 0, 97, 1, 0]],
  ['more than it says', [1, 4, 97, 98]],
  ['less than it says', [9, 0, 97]],
  ['a length without end', [255, 255, 255, 255, 255, 255]],
  ['a length beyond any block', [255, 255, 255, 255, 15]],
  ['six bytes at which another decoder never ends', [10, 0xfc, 0xff, 0xff, 0xff, 0xff]],
])('snappy: %s is refused', (_, bytes) => {
  expect(() => expandSnappy(Uint8Array.from(bytes), 2 ** 28)).toThrow(/snappy block is damaged/)
})

describe('refused, and by an error of ours', () => {
  const schemas: [string, AvroRecordSchema][] = [
    ['a field that must be there is not', record(field(2, 'rows', 'long'))],
    ['a text where a number must be', record(field(1, 'path', 'string'), field(2, 'rows', 'string'))],
    ['a union of several types', record(field(1, 'path', ['string', 'bytes']), field(2, 'rows', 'long'))],
    [
      'values without bytes',
      record(field(1, 'path', 'string'), field(2, 'rows', 'long'), field(8, 'x', { type: 'array', items: 'null' })),
    ],
    [
      'records without bytes by the array',
      record(
        field(1, 'path', 'string'),
        field(2, 'rows', 'long'),
        field(8, 'x', { type: 'array', items: { ...record(), name: 'e' } }),
      ),
    ],
    ['a type within itself', record(field(1, 'path', 'string'), field(2, 'rows', 'long'), field(8, 'x', 'r'))],
  ]
  test.each(schemas)('%s', (_, schema) => {
    const file = foreignAvro(record(field(1, 'path', 'string'), field(2, 'rows', 'long')), [], 'null', random)
    const text = Buffer.from(file).toString('latin1')
    const at = text.indexOf('{"type"')
    const head = Buffer.from(text.slice(0, at - 2), 'latin1')
    const json = Buffer.from(JSON.stringify(schema))
    const length = json.length * 2
    const whole = Buffer.concat([
      head,
      Buffer.from([(length & 127) | 128, length >> 7]),
      json,
      Buffer.from([0]),
      Buffer.alloc(16, 7),
    ])
    expect(codeOf(() => decodeAvroFile(ours, whole))).toBe('internal')
  })

  test('a codec that is not known', () => {
    const file = Buffer.from(foreignAvro(theirs, [written(1)], 'deflate', random))
    file.write('bzip2x', file.indexOf('deflate'))
    expect(() => decodeAvroFile(ours, file)).toThrow(/codec/)
  })

  test('any byte that is another', () => {
    const file = foreignAvro(theirs, [written(1), written(2)], 'deflate', random)
    fc.assert(
      fc.property(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const damaged = Uint8Array.from(file)
        damaged[at] = (damaged[at] as number) ^ change
        codeOf(() => decodeAvroFile(ours, damaged))
      }),
    )
  })
})

function codeOf(run: () => unknown): string {
  try {
    run()
    return 'none'
  } catch (error) {
    if (!isSluiceError(error)) throw error
    return error.code
  }
}
