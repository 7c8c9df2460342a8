/**
 * A segment: the object that one group of requests becomes. `SLOG` · version u8 · directory length u32 LE · directory ·
 * CRC-32 of the directory u32 · padding to 8 · ranges. Each range holds the blocks of one bucket, contiguous, so that one
 * ranged GET serves its reader. The directory says what lies in an object that nothing refers to any more.
 */
import { crc32 } from 'node:zlib'
import { lengthOf, utf8, utf8Text, viewOf } from '../../kernel/bytes.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { Reader, Writer } from '../binary.ts'
import { sealBlock } from './block.ts'

export interface SegmentRange {
  readonly partition: string
  readonly bucket: number
  /** Bytes in the object. */
  readonly start: number
  readonly length: number
  /** Rows. */
  readonly count: number
}

export interface RangeBlocks {
  readonly partition: string
  readonly bucket: number
  readonly count: number
  /** Each in its pieces, as encodeBlock gives it. */
  readonly blocks: readonly (readonly Uint8Array[])[]
}

export interface Segment {
  readonly pieces: readonly Uint8Array[]
  readonly bytes: number
  /** As in the directory, and where each block of a range begins in the object. */
  readonly ranges: readonly (SegmentRange & { readonly starts: readonly number[] })[]
}

const magic = utf8('SLOG')
const version = 1
const fixedBytes = 9

/** Every block is sealed to its place; columns are not copied. */
export function encodeSegment(ranges: readonly RangeBlocks[]): Segment {
  const directoryLength = ranges.reduce((length, range) => length + 2 + utf8(range.partition).length + 14, 4)
  const pieces: Uint8Array[] = []
  let at = aligned(fixedBytes + directoryLength + 4)
  const prologue = new Uint8Array(at)
  const placed = ranges.map(({ partition, bucket, count, blocks }) => {
    const start = at
    const starts = blocks.map((block) => {
      const begin = at
      pieces.push(...sealBlock(block, begin))
      at += lengthOf(block)
      return begin
    })
    return { partition, bucket, start, length: at - start, count, starts }
  })
  const directory = encodeDirectory(placed)
  const view = viewOf(prologue)
  prologue.set(magic)
  prologue[4] = version
  view.setUint32(5, directory.length, true)
  prologue.set(directory, fixedBytes)
  view.setUint32(fixedBytes + directory.length, crc32(directory), true)
  return { pieces: [prologue, ...pieces], bytes: at, ranges: placed }
}

/** From the first bytes of an object; an `internal` error on damage. */
export function decodeDirectory(object: Uint8Array, where: string): readonly SegmentRange[] {
  try {
    if (magic.some((byte, index) => object[index] !== byte) || object[4] !== version) throw new RangeError('magic or version')
    const length = viewOf(object).getUint32(5, true)
    const bytes = object.subarray(fixedBytes, fixedBytes + length)
    if (bytes.length !== length || viewOf(object).getUint32(fixedBytes + length, true) !== crc32(bytes))
      throw new RangeError('checksum')
    return readDirectory(new Reader(bytes))
  } catch (cause) {
    throw new SluiceError('internal', `the directory of ${where} is damaged`, { action: 'stop', cause, facts: { object: where } })
  }
}

function encodeDirectory(ranges: readonly SegmentRange[]): Uint8Array {
  const writer = new Writer()
  writer.u32(ranges.length)
  for (const range of ranges) {
    const partition = utf8(range.partition)
    writer.u16(partition.length)
    writer.raw(partition)
    writer.u16(range.bucket)
    writer.u32(range.start)
    writer.u32(range.length)
    writer.u32(range.count)
  }
  return writer.bytes()
}

function readDirectory(reader: Reader): readonly SegmentRange[] {
  const count = reader.u32()
  const ranges: SegmentRange[] = []
  for (let i = 0; i < count; i++) {
    const partition = utf8Text(reader.raw(reader.u16()))
    ranges.push({ partition, bucket: reader.u16(), start: reader.u32(), length: reader.u32(), count: reader.u32() })
  }
  return ranges
}

const aligned = (length: number): number => (length + 7) & ~7
