/**
 * A run: the records of one bucket in the order of their keys, each key once, immutable. `SRUN` · version u8 · three bytes 0 ·
 * blocks · meta · length of the meta u32 · its CRC-32 u32. Meta, little-endian: version u8 · records u32 · deleted u32 · blocks u32 ·
 * per block: length u32, first key u16 + bytes · last key u16 + bytes · length of the bloom filter u32 · the filter.
 * Where a run's meta begins is said by whoever names the run, so that a reader takes it in one read, then the blocks it needs.
 */
import { crc32 } from 'node:zlib'
import { assert } from '../../kernel/assert.ts'
import { viewOf } from '../../kernel/bytes.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { Reader, Writer } from '../binary.ts'
import { encodeRunBlock, type RunRecord, recordBytes } from './block.ts'
import { BloomKeys, bloomMayHave } from './bloom.ts'
import { type BlockRange, firstBlockAt, type Guide, separatorOf } from './guide.ts'
import { bytesOfText, textOf } from './text.ts'

export const runVersion = 1
const prologue = Uint8Array.of(0x53, 0x52, 0x55, 0x4e, runVersion, 0, 0, 0)
/** One read of a store, and what a look-up holds for one row. */
const blockBytesTarget = 16 * 1024
export const keyLengthMax = 0xffff

export interface EncodedRun {
  readonly pieces: readonly Uint8Array[]
  readonly bytes: number
  /** Where its meta begins. */
  readonly metaStart: number
  readonly records: number
  readonly deleted: number
  readonly first: string
  readonly last: string
  readonly guide: Guide
}

/** Takes the records of a run in the order of their keys, each key once, and holds no more of them than their bytes. */
export class RunWriter {
  readonly #blocks: Uint8Array[] = []
  readonly #firsts: string[] = []
  readonly #bloom = new BloomKeys()
  /** Of the block that is not full yet. */
  #pending: RunRecord[] = []
  #pendingBytes = 0
  #metaStart = firstBlockAt
  #records = 0
  #deleted = 0
  #last: string | undefined
  readonly #guide = { keys: [] as string[], starts: [] as number[] }
  /** Of the records so far, about. */
  recordBytes = 0

  add(record: RunRecord): void {
    assert(this.#last === undefined || this.#last < record.key, 'the keys of a run rise')
    const bytes = recordBytes(record)
    if (this.#last !== undefined && this.#pending.length === 0) {
      this.#guide.keys.push(separatorOf(this.#last, record.key))
      this.#guide.starts.push(this.#metaStart)
    }
    this.#pending.push(record)
    this.#pendingBytes += bytes
    this.recordBytes += bytes
    this.#records += 1
    if (record.row === undefined) this.#deleted += 1
    this.#last = record.key
    this.#bloom.add(record.key)
    if (this.#pendingBytes >= blockBytesTarget) this.#endBlock()
  }

  /** Of at least one record. */
  finish(): EncodedRun {
    if (this.#pending.length > 0) this.#endBlock()
    const first = this.#firsts[0]
    const last = this.#last
    assert(first !== undefined && last !== undefined, 'a run has records')
    const [records, deleted, metaStart] = [this.#records, this.#deleted, this.#metaStart]
    const lengths = this.#blocks.map(({ length }) => length)
    const meta = encodeMeta({ records, deleted, lengths, firsts: this.#firsts, last, bloom: this.#bloom.filter() })
    const pieces = [prologue, ...this.#blocks, meta]
    return { pieces, bytes: metaStart + meta.length, metaStart, records, deleted, first, last, guide: this.#guide }
  }

  #endBlock(): void {
    const block = encodeRunBlock(this.#pending, this.#metaStart)
    this.#blocks.push(block)
    this.#firsts.push((this.#pending[0] as RunRecord).key)
    this.#metaStart += block.length
    this.#pending = []
    this.#pendingBytes = 0
  }
}

interface Meta {
  readonly records: number
  readonly deleted: number
  readonly lengths: readonly number[]
  readonly firsts: readonly string[]
  readonly last: string
  readonly bloom: Uint8Array
}

function encodeMeta({ records, deleted, lengths, firsts, last, bloom }: Meta): Uint8Array {
  const writer = new Writer()
  writer.u8(runVersion)
  writer.u32(records)
  writer.u32(deleted)
  writer.u32(lengths.length)
  for (const [i, length] of lengths.entries()) {
    writer.u32(length)
    writeKey(writer, firsts[i] as string)
  }
  writeKey(writer, last)
  writer.u32(bloom.length)
  writer.raw(bloom)
  const { length } = writer.bytes()
  writer.u32(length)
  writer.u32(crc32(writer.bytes().subarray(0, length)))
  return writer.bytes()
}

function writeKey(writer: Writer, key: string): void {
  writer.u16(key.length)
  writer.raw(bytesOfText(key))
}

/** What a reader keeps of a run. */
export class RunMeta {
  readonly records: number
  readonly deleted: number
  readonly last: string
  /** Of it in memory, about. */
  readonly heldBytes: number
  readonly #firsts: readonly string[]
  readonly #places: readonly number[]
  readonly #bloom: Uint8Array

  /** `bytes`: from the meta's beginning to the end of the object. Throws a RangeError on damage. */
  constructor(bytes: Uint8Array, metaStart: number) {
    const length = bytes.length - 8
    const view = viewOf(bytes)
    if (length < 0 || view.getUint32(length, true) !== length) throw new RangeError('length of the meta')
    if (view.getUint32(length + 4, true) !== crc32(bytes.subarray(0, length))) throw new RangeError('checksum of the meta')
    const reader = new Reader(bytes.subarray(0, length))
    if (reader.u8() !== runVersion) throw new RangeError('version')
    this.records = reader.u32()
    this.deleted = reader.u32()
    const count = reader.u32()
    const firsts: string[] = []
    const places: number[] = []
    let at = firstBlockAt
    for (let i = 0; i < count; i++) {
      places.push(at)
      at += reader.u32()
      firsts.push(readKey(reader))
    }
    places.push(at)
    if (at !== metaStart || count === 0) throw new RangeError('blocks')
    this.last = readKey(reader)
    this.#bloom = new Uint8Array(reader.raw(reader.u32()))
    if (!reader.isAtEnd || this.#bloom.length === 0) throw new RangeError('length')
    this.#firsts = firsts
    this.#places = places
    this.heldBytes = bytes.length + 64 * count
  }

  get blocks(): number {
    return this.#firsts.length
  }

  mayHave(key: string): boolean {
    return key >= (this.#firsts[0] as string) && key <= this.last && bloomMayHave(this.#bloom, key)
  }

  /** Index of the block in which the key lies, if it lies anywhere; that of the first where the key is below all. */
  blockOf(key: string): number {
    let low = 0
    let high = this.#firsts.length
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      if ((this.#firsts[middle] as string) <= key) low = middle
      else high = middle
    }
    return low
  }

  /** Its first key. */
  firstOf(block: number): string {
    return this.#firsts[block] as string
  }

  range(block: number): BlockRange {
    return { start: this.#places[block] as number, end: this.#places[block + 1] as number }
  }
}

const readKey = (reader: Reader): string => textOf(reader.raw(reader.u16()))

/** Errors: `internal` on damage, naming the object. */
export function decodeRunMeta(bytes: Uint8Array, metaStart: number, where: string): RunMeta {
  try {
    return new RunMeta(bytes, metaStart)
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new SluiceError('internal', `the meta of ${where} is damaged`, { action: 'retry', cause, facts: { object: where } })
  }
}
