/**
 * Frames of entries, in order, before their columns are read. An entry that is small, or of which everything is wanted, is read
 * whole; of another one the headers of its blocks are read, a block at a time, so that whoever wants few columns or few rows reads
 * little else. The first reads of entries that are given together go out together.
 */
import { type Entry, objectKey } from '../../format/items/entry.ts'
import { type BlockFrame, type BlockHeader, headerBytes, readHeader, verifyFrames } from '../../format/segment/block.ts'
import { present } from '../../kernel/assert.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { type Offset, offsetOf } from '../../kernel/ids.ts'
import type { Wanted } from './merged.ts'
import type { RangeReader } from './ranges.ts'

export interface StoredFrame {
  /** Of its first row. */
  readonly offset: Offset
  readonly rows: number
  /** When its rows were committed, ms since 1970. */
  readonly time: number
  readonly schemaId: number
  readonly frame: BlockFrame
  readonly key: string
  /** Byte of the object at which its block stands. */
  readonly place: number
  /** The Arrow message, where it was read and verified already. */
  readonly message?: Uint8Array
}

export interface EntryRead {
  readonly offset: Offset
  readonly entry: Entry
  /** Whether all of it is wanted. */
  readonly whole: boolean
}

export interface Shape {
  readonly tableId: string
  /** Of the table. */
  readonly columns: number
}

/** Each with its frames, which are read as they are taken. */
export async function openEntries(
  ranges: RangeReader,
  shape: Shape,
  entries: readonly EntryRead[],
): Promise<readonly AsyncIterable<StoredFrame>[]> {
  const opened = entries.map((read) => new EntryReader(ranges, shape, read))
  const firsts = await ranges.read(opened.map((entry) => entry.first))
  return opened.map((entry, i) => entry.frames(present(firsts[i], 'the first read of an entry')))
}

/** Below this a header is not worth a read of its own. */
const wholeBytesMax = 32 * 1024
/** Where blocks are small, many are read at once. */
const chunkBytesMax = 512 * 1024
const frameHeaderBytes = 24
/** A range, a checksum, nulls, and bounds of numbers or short text. */
const columnHeaderBytes = 56
const likelyFrameBytes = 1024 * 1024
const probeBytesMax = 64 * 1024

class EntryReader {
  readonly #ranges: RangeReader
  readonly #shape: Shape
  readonly #read: EntryRead
  readonly #key: string
  readonly #end: number
  /** Of blocks that were verified and not taken yet, by their place. */
  readonly #headers = new Map<number, BlockHeader>()

  constructor(ranges: RangeReader, shape: Shape, read: EntryRead) {
    this.#ranges = ranges
    this.#shape = shape
    this.#read = read
    this.#key = objectKey(shape.tableId, read.entry)
    this.#end = read.entry.start + read.entry.length
  }

  get first(): Wanted {
    const { start, length } = this.#read.entry
    return this.#chunk(start, this.#read.whole ? length : this.#likelyHeaderBytes(start))
  }

  async *frames(first: Uint8Array): AsyncIterable<StoredFrame> {
    const { entry, offset } = this.#read
    let next: bigint = offset
    let bytes = first
    for (let place = entry.start; place < this.#end; ) {
      const block = await this.#block(place, bytes)
      for (const frame of this.#framesOf(block, place, bytes)) {
        yield { ...frame, offset: offsetOf(next) }
        next += BigInt(frame.rows)
      }
      place += block.bytes
      if (place >= this.#end) break
      bytes = bytes.subarray(Math.min(bytes.length, block.bytes))
      if (bytes.length < headerBytes(bytes)) bytes = await this.#readOne(this.#chunkAfter(place, block.bytes))
    }
    if (next === offset + BigInt(entry.count)) return
    throw new SluiceError('internal', `${this.#key} does not hold the rows that its entry counts`, { action: 'stop' })
  }

  /** `bytes`: from the block's first, as many as were read. */
  async #block(place: number, bytes: Uint8Array): Promise<BlockHeader> {
    const known = this.#headers.get(place)
    if (this.#headers.delete(place) && known !== undefined) return known
    const wanted = headerBytes(bytes)
    const head = wanted <= bytes.length ? bytes : await this.#readOne(this.#chunk(place, wanted))
    return this.#header(head, place)
  }

  *#framesOf(block: BlockHeader, place: number, bytes: Uint8Array): Iterable<Omit<StoredFrame, 'offset'>> {
    const { time } = this.#read.entry
    const isThere = block.bytes <= bytes.length
    for (const frame of block.frames) {
      const message = isThere ? { message: bytes.subarray(frame.start, frame.start + frame.bytes) } : {}
      const { schemaId } = block
      yield { frame, rows: frame.rows, time: frame.time ?? time, schemaId, key: this.#key, place, ...message }
    }
  }

  /** Of the block whose first bytes these are. */
  #header(bytes: Uint8Array, place: number): BlockHeader {
    const header = readHeader(bytes, this.#key, place)
    if (header.bytes === 0 || place + header.bytes > this.#end) throw this.#damaged(place)
    return header
  }

  /** Blocks that lie in it whole are verified whole, and of one that is cut off the header. */
  #chunk(place: number, bytes: number): Wanted {
    const end = Math.min(this.#end, place + bytes)
    const verify = (chunk: Uint8Array): boolean => {
      for (let at = 0; at < chunk.length; ) {
        const rest = chunk.subarray(at)
        const wanted = headerBytes(rest)
        if (wanted > this.#end - place - at && rest.length >= 4) throw this.#damaged(place + at)
        if (wanted > rest.length) return at > 0
        const header = this.#header(rest, place + at)
        if (header.bytes <= rest.length) verifyFrames(header, rest, this.#key, place + at)
        this.#headers.set(place + at, header)
        at += header.bytes
      }
      return true
    }
    return { key: this.#key, start: place, end, verify }
  }

  #chunkAfter(place: number, blockBytes: number): Wanted {
    return this.#chunk(place, blockBytes <= wholeBytesMax ? chunkBytesMax : this.#likelyHeaderBytes(place))
  }

  /** What the header of a block there is likely to take; all that is left where that is little. */
  #likelyHeaderBytes(place: number): number {
    const left = this.#end - place
    const frames = Math.ceil(left / likelyFrameBytes)
    const likely = 64 + frames * (frameHeaderBytes + columnHeaderBytes * this.#shape.columns)
    return left <= wholeBytesMax || 2 * likely > left ? left : Math.min(likely, probeBytesMax)
  }

  async #readOne(wanted: Wanted): Promise<Uint8Array> {
    const [bytes] = await this.#ranges.read([wanted])
    return present(bytes, 'a range that was read')
  }

  #damaged(place: number): SluiceError {
    return new SluiceError('internal', `the block at byte ${place} of ${this.#key} is damaged`, {
      action: 'retry',
      facts: { object: this.#key, at: place },
    })
  }
}
