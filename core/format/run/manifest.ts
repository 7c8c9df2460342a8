/**
 * A manifest: which runs hold the rows of a bucket up to an offset. `SMAN` · version u8 · runs u32 · per run: level u8 · label u48 ·
 * random 8 bytes · inline u8 · directory u8 · bytes u32 · meta start u32 · records u32 · deleted u32 · first key, last key u16 + bytes ·
 * since version 2 its guide: parts but the first u32, of each its start u32, key u16 + bytes · CRC-32 of all before. Runs of level 0 may overlap and stand newest first; those of one other level do not, and stand in key order.
 * What a level says of a key goes before what the levels below it say.
 */
import { crc32 } from 'node:zlib'
import { fromHex, hex, viewOf } from '../../kernel/bytes.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { type Label, labelOf, labelTime } from '../../kernel/ids.ts'
import { Reader, Writer } from '../binary.ts'
import { type Guide, noGuide } from './guide.ts'
import { bytesOfText, textOf } from './text.ts'

/** Names an object of the table: see `objectKey`. */
export interface ObjectPlace {
  readonly label: Label
  readonly random: string
  readonly inline: boolean
  readonly directory: number
}

export interface RunRef {
  readonly level: number
  readonly object: ObjectPlace
  readonly bytes: number
  readonly metaStart: number
  readonly records: number
  readonly deleted: number
  readonly first: string
  readonly last: string
  readonly guide: Guide
}

/** A run that is in the manifest is below it: 16 MiB each, so this is 1 TiB a bucket. */
const runsMax = 65_536
const version = 2
const magic = Uint8Array.of(0x53, 0x4d, 0x41, 0x4e)

export function encodeManifest(runs: readonly RunRef[]): Uint8Array {
  const writer = new Writer()
  writer.raw(magic)
  writer.u8(version)
  writer.u32(runs.length)
  for (const { level, object, bytes, metaStart, records, deleted, first, last, guide } of runs) {
    writer.u8(level)
    writer.u48(labelTime(object.label))
    writer.raw(fromHex(object.random))
    writer.u8(object.inline ? 1 : 0)
    writer.u8(object.directory)
    writer.u32(bytes)
    writer.u32(metaStart)
    writer.u32(records)
    writer.u32(deleted)
    for (const key of [first, last]) writeKey(writer, key)
    writer.u32(guide.keys.length)
    for (const [i, key] of guide.keys.entries()) {
      writer.u32(guide.starts[i] as number)
      writeKey(writer, key)
    }
  }
  writer.u32(crc32(writer.bytes()))
  return writer.bytes()
}

function writeKey(writer: Writer, key: string): void {
  writer.u16(key.length)
  writer.raw(bytesOfText(key))
}

/** Errors: `internal` on damage. */
export function decodeManifest(bytes: Uint8Array, where: string): readonly RunRef[] {
  try {
    const end = bytes.length - 4
    if (end < 9 || viewOf(bytes).getUint32(end, true) !== crc32(bytes.subarray(0, end))) throw new RangeError('checksum')
    const reader = new Reader(bytes.subarray(0, end))
    if (textOf(reader.raw(4)) !== textOf(magic)) throw new RangeError('magic')
    const written = reader.u8()
    if (written < 1 || written > version) throw new RangeError('version')
    const count = reader.u32()
    if (count > runsMax) throw new RangeError('runs')
    const runs = Array.from({ length: count }, () => readRun(reader, written))
    if (!reader.isAtEnd) throw new RangeError('length')
    return runs
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new SluiceError('internal', `the manifest ${where} is damaged`, { action: 'retry', cause, facts: { object: where } })
  }
}

function readRun(reader: Reader, written: number): RunRef {
  const level = reader.u8()
  const label = labelOf(reader.u48())
  const object = { label, random: hex(reader.raw(8)), inline: reader.u8() === 1, directory: reader.u8() }
  const [bytes, metaStart, records, deleted] = [reader.u32(), reader.u32(), reader.u32(), reader.u32()]
  const [first, last] = [readKey(reader), readKey(reader)]
  const guide = written === 1 ? noGuide : readGuide(reader, metaStart)
  return { level, object, bytes, metaStart, records, deleted, first, last, guide }
}

const readKey = (reader: Reader): string => textOf(reader.raw(reader.u16()))

function readGuide(reader: Reader, metaStart: number): Guide {
  const [keys, starts]: [string[], number[]] = [[], []]
  for (let left = reader.u32(); left > 0; left--) {
    const start = reader.u32()
    if (start <= (starts.at(-1) ?? 0) || start >= metaStart) throw new RangeError('parts of a guide')
    starts.push(start)
    keys.push(readKey(reader))
  }
  return { keys, starts }
}
