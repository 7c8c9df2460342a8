/**
 * Rows to buckets: (murmur3_32(bytes) & 0x7fffffff) mod count, Iceberg's bucket transform (spec, appendix B), so that the
 * lake's `bucket[N]` is the table's bucketing. One key column: exactly the bytes that Iceberg hashes; several: for each its
 * length as uint32 LE and those bytes. A null in the key: bucket 0.
 */
import { assert } from '../../kernel/assert.ts'
import { murmur3 } from '../../kernel/murmur3.ts'
import { unitOfPrecision } from '../../model/types.ts'
import type { Batch, ColumnData } from './column.ts'
import { byThousand, timesThousand } from './int64.ts'
import { int8s, int16s, int32s, isValid } from './layout.ts'

/** The bucket of each row; every name is a column of the batch that can be a key. */
export function bucketRows(batch: Batch, key: readonly string[], count: number): Uint16Array {
  const columns = key.map((name) => {
    const column = batch.columns[batch.fields.findIndex((field) => field.name === name)]
    assert(column !== undefined, 'a bucket key is a column', { name })
    return column
  })
  const out = new Uint16Array(batch.rows)
  const [only] = columns
  if (only === undefined || count === 1) return out
  if (columns.length === 1) hashSingle(only, count, out)
  else hashSeveral(columns, count, out)
  for (const column of columns) if (column.nullCount > 0) for (let i = 0; i < out.length; i++) if (!isValid(column, i)) out[i] = 0
  return out
}

function hashSingle(column: ColumnData, count: number, out: Uint16Array): void {
  const words = longsOf(column)
  if (words !== undefined) {
    for (let i = 0; i < out.length; i++)
      out[i] = (hashLong(words[2 * i] as number, words[2 * i + 1] as number) & 0x7fffffff) % count
    return
  }
  const bytes = keyBytes(column)
  for (let i = 0; i < out.length; i++) {
    const { source, start, end } = bytes(i)
    out[i] = (murmur3(source, start, end) & 0x7fffffff) % count
  }
}

function hashSeveral(columns: readonly ColumnData[], count: number, out: Uint16Array): void {
  const keys = columns.map(keyBytes)
  let row = new Uint8Array(256)
  for (let i = 0; i < out.length; i++) {
    let at = 0
    for (const key of keys) {
      const { source, start, end } = key(i)
      const length = end - start
      if (at + 4 + length > row.length) {
        const larger = new Uint8Array(2 * (at + 4 + length))
        larger.set(row)
        row = larger
      }
      for (let k = 0; k < 4; k++) row[at++] = length >>> (8 * k)
      for (let k = start; k < end; k++) row[at++] = source[k] as number
    }
    out[i] = (murmur3(row, 0, at) & 0x7fffffff) % count
  }
}

/** murmur3 of the eight bytes of a long, unrolled. */
function hashLong(low: number, high: number): number {
  let h = mix(0, low)
  h = mix(h, high) ^ 8
  h ^= h >>> 16
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

function mix(hash: number, word: number): number {
  const a = Math.imul(word, 0xcc9e2d51)
  const h = hash ^ Math.imul((a << 15) | (a >>> 17), 0x1b873593)
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0
}

/** Integers, dates, times and timestamps as the longs that Iceberg hashes (µs), low word first; undefined for other types. */
function longsOf(column: ColumnData): Int32Array | undefined {
  const { type, length } = column
  const values = column.values ?? new Uint8Array(0)
  switch (type.kind) {
    case 'tinyint':
      return widened(int8s(values, length))
    case 'smallint':
      return widened(int16s(values, length))
    case 'int':
    case 'date':
      return widened(int32s(values, length))
    case 'bigint':
      return int32s(values, 2 * length)
    case 'time':
    case 'timestamp':
    case 'timestamp_ltz': {
      const unit = unitOfPrecision(type.precision)
      const words = type.kind === 'time' && type.precision <= 3 ? widened(int32s(values, length)) : int32s(values, 2 * length)
      return unit === 's'
        ? timesThousand(timesThousand(words))
        : unit === 'ms'
          ? timesThousand(words)
          : unit === 'us'
            ? words
            : byThousand(words, undefined).out
    }
    default:
      return undefined
  }
}

function widened(numbers: ArrayLike<number>): Int32Array {
  const out = new Int32Array(2 * numbers.length)
  for (let i = 0; i < numbers.length; i++) {
    out[2 * i] = numbers[i] as number
    out[2 * i + 1] = (numbers[i] as number) >> 31
  }
  return out
}

interface KeyBytes {
  source: Uint8Array
  start: number
  end: number
}

/** The bytes that Iceberg hashes for a row; the answer is reused by the next. */
function keyBytes(column: ColumnData): (row: number) => KeyBytes {
  const words = longsOf(column)
  const values = column.values ?? new Uint8Array(0)
  const key: KeyBytes = { source: values, start: 0, end: 0 }
  if (words !== undefined) {
    key.source = new Uint8Array(words.buffer, words.byteOffset, words.byteLength)
    return (row) => {
      key.start = 8 * row
      key.end = key.start + 8
      return key
    }
  }
  const { offsets } = column
  if (offsets !== undefined) {
    return (row) => {
      key.start = offsets[row] as number
      key.end = offsets[row + 1] as number
      return key
    }
  }
  assert(column.type.kind === 'decimal', `a column of type ${column.type.kind} cannot be a bucket key`)
  key.source = new Uint8Array(16)
  return (row) => {
    key.start = putDecimal(key.source, values, row)
    key.end = 16
    return key
  }
}

/** Writes the big-endian two's complement of a decimal so that it ends at byte 16; returns where its least form begins. */
export function putDecimal(out: Uint8Array, values: Uint8Array, row: number): number {
  for (let i = 0; i < 16; i++) out[15 - i] = values[16 * row + i] as number
  let start = 0
  while (start < 15) {
    const byte = out[start] as number
    const next = (out[start + 1] as number) >>> 7
    if (!((byte === 0 && next === 0) || (byte === 255 && next === 1))) break
    start++
  }
  return start
}
