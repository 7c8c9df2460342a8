/**
 * A block of a run: records in the order of their keys. Little-endian: records, then the place of each in the block (u32), their
 * number u32, CRC-32 of all before, begun from the block's place in its object, u32. A record: key length u16 · flags u8 (bit 0: deleted) · schema id u32 · origin u64 · row length
 * u32 · key · row. The places make a look-up a binary search of the bytes as they lie.
 */
import { crc32 } from 'node:zlib'
import { lengthOfSpan, putBytes, type Span, viewOf } from '../../kernel/bytes.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { compareText, putText, textOf } from './text.ts'

/** What is known of a key: its row, or that it was deleted. */
export interface KeyState {
  /** Of the record that wrote the row, or deleted it. */
  readonly offset: bigint
  /** Under which the row is encoded. */
  readonly schemaId: number
  /** Undefined: deleted. */
  readonly row: Span | undefined
}

export interface RunRecord extends KeyState {
  readonly key: string
  /** The record as it lies in a block, for the next one. */
  readonly stored?: Span
}

const fixedBytes = 19
const trailerBytes = 8

export const recordBytes = ({ key, row }: RunRecord): number => fixedBytes + key.length + lengthOfSpan(row) + 4

/** `start`: the byte of its object at which the block stands, so that no other one is taken for it. */
export function encodeRunBlock(records: readonly RunRecord[], start: number): Uint8Array {
  const out = new Uint8Array(records.reduce((sum, record) => sum + recordBytes(record), trailerBytes))
  const view = viewOf(out)
  const places = new Uint32Array(records.length)
  let at = 0
  for (const [i, { key, row, schemaId, offset, stored }] of records.entries()) {
    places[i] = at
    if (stored !== undefined) {
      putBytes(out, at, stored.bytes, stored.start, stored.end)
      at += lengthOfSpan(stored)
      continue
    }
    const length = lengthOfSpan(row)
    view.setUint16(at, key.length, true)
    view.setUint8(at + 2, row === undefined ? 1 : 0)
    view.setUint32(at + 3, schemaId, true)
    view.setBigUint64(at + 7, offset, true)
    view.setUint32(at + 15, length, true)
    putText(out, at + fixedBytes, key)
    if (row !== undefined) putBytes(out, at + fixedBytes + key.length, row.bytes, row.start, row.end)
    at += fixedBytes + key.length + length
  }
  for (const place of places) {
    view.setUint32(at, place, true)
    at += 4
  }
  view.setUint32(at, records.length, true)
  view.setUint32(at + 4, crc32(out.subarray(0, at + 4), start), true)
  return out
}

/** Throws a RangeError where the bytes are not those of a block. */
export class RunBlock {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #placesAt: number
  readonly count: number

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = viewOf(bytes)
    this.count = this.#view.getUint32(bytes.length - trailerBytes, true)
    this.#placesAt = bytes.length - trailerBytes - 4 * this.count
    if (this.#placesAt < 0) throw new RangeError('more records than bytes')
  }

  /** Below zero: the key of the record is below this one. */
  #compare(index: number, key: string): number {
    const start = this.#place(index) + fixedBytes
    const end = start + this.#view.getUint16(start - fixedBytes, true)
    if (end > this.#placesAt) throw new RangeError('a key ends outside')
    return compareText(this.#bytes, start, end, key)
  }

  /** Its row lies in the block. */
  at(index: number): RunRecord {
    const { start, keyEnd, end } = this.#bounds(index)
    return {
      key: textOf(this.#bytes, start + fixedBytes, keyEnd),
      schemaId: this.#view.getUint32(start + 3, true),
      offset: this.#view.getBigUint64(start + 7, true),
      row: this.#row(start, keyEnd, end),
      stored: { bytes: this.#bytes, start, end },
    }
  }

  #bounds(index: number): { readonly start: number; readonly keyEnd: number; readonly end: number } {
    const start = this.#place(index)
    const keyEnd = start + fixedBytes + this.#view.getUint16(start, true)
    const end = keyEnd + this.#view.getUint32(start + 15, true)
    if (end > this.#placesAt) throw new RangeError('a record ends outside')
    return { start, keyEnd, end }
  }

  #row(start: number, keyEnd: number, end: number): Span | undefined {
    const isDeleted = this.#view.getUint8(start + 2) === 1
    return isDeleted ? undefined : { bytes: this.#bytes, start: keyEnd, end }
  }

  /** All records from this index on. */
  from(first: number): readonly RunRecord[] {
    const records: RunRecord[] = []
    for (let index = first; index < this.count; index++) records.push(this.at(index))
    return records
  }

  /** Index of the first record whose key is not below `key`. */
  lowerBound(key: string): number {
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#compare(middle, key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Its row lies in the block. */
  find(key: string): KeyState | undefined {
    const index = this.lowerBound(key)
    if (index === this.count || this.#compare(index, key) !== 0) return undefined
    const { start, keyEnd, end } = this.#bounds(index)
    return {
      schemaId: this.#view.getUint32(start + 3, true),
      offset: this.#view.getBigUint64(start + 7, true),
      row: this.#row(start, keyEnd, end),
    }
  }

  #place(index: number): number {
    const at = this.#view.getUint32(this.#placesAt + 4 * index, true)
    if (at + fixedBytes > this.#placesAt) throw new RangeError('a record begins outside')
    return at
  }
}

/** Errors: `internal` on damage, naming the place. */
export function decodeRunBlock(bytes: Uint8Array, start: number, where: string): RunBlock {
  try {
    const end = bytes.length - 4
    if (end < 4 || viewOf(bytes).getUint32(end, true) !== crc32(bytes.subarray(0, end), start)) throw new RangeError('checksum')
    return new RunBlock(bytes)
  } catch (cause) {
    throw new SluiceError('internal', `a block of ${where} is damaged`, { action: 'retry', cause, facts: { object: where } })
  }
}

/** Blocks that lie one behind the other, each as it is reached. Errors: `internal` on damage, naming the place. */
export function* decodeRunBlocks(bytes: Uint8Array, start: number, where: string): Iterable<RunBlock> {
  for (let at = 0; at < bytes.length; ) {
    const rest = bytes.subarray(at)
    const length = lengthOfFirst(rest)
    yield decodeRunBlock(rest.subarray(0, length), start + at, where)
    at += length
  }
}

/** A block ends where as many places as records stand behind them, the first of them 0. What is damaged may seem to end anywhere. */
function lengthOfFirst(bytes: Uint8Array): number {
  const view = viewOf(bytes)
  let at = 0
  for (let records = 1; at + fixedBytes <= bytes.length; records++) {
    at += fixedBytes + view.getUint16(at, true) + view.getUint32(at + 15, true)
    const end = at + 4 * records + trailerBytes
    if (end > bytes.length) break
    if (view.getUint32(at, true) === 0 && view.getUint32(end - trailerBytes, true) === records) return end
  }
  return bytes.length
}
