/**
 * The cursor of a reader as text: version, table, selection, how far each bucket came, and a checksum; base64url. It comes back from
 * outside, so reading one believes nothing: sizes, order and ranges are checked, and a number has one form.
 * Layout: u8 version · 8 bytes table id · u32 CRC-32 of the table's name · buckets: varint count, then varint first, varint length - 1
 * each · partitions: u8 0 all, 1 name, 2 prefix, the latter two with u16 length and UTF-8 · varint turn · varint partitions, then for
 * each: u8 bytes of its id and the id, varint buckets, then for each: varint bucket, varint offset · u32 CRC-32 of all before.
 */
import { crc32 } from 'node:zlib'
import { fromHex, hex, utf8, utf8Text } from '../kernel/bytes.ts'
import { SluiceError } from '../kernel/errors.ts'
import { type Offset, offsetOf } from '../kernel/ids.ts'
import { limits } from '../kernel/limits.ts'
import type { BucketSpan, PartitionChoice, ReadOffset, ReadPosition, Selection } from '../model/selection.ts'
import { Reader, Writer } from './binary.ts'

export interface Cursor {
  readonly tableId: string
  /** CRC-32 of `database/table`: tells a table that was dropped and made again from another one. */
  readonly nameCrc: number
  readonly selection: Selection
  readonly position: ReadPosition
}

const version = 1

export const nameCrcOf = (database: string, table: string): number => crc32(utf8(`${database}/${table}`))

export function encodeCursor({ tableId, nameCrc, selection, position }: Cursor): string {
  const to = new Writer()
  to.u8(version)
  to.raw(fromHex(tableId))
  to.u32(nameCrc)
  to.varint(selection.buckets.length)
  for (const { first, last } of selection.buckets) {
    to.varint(first)
    to.varint(last - first)
  }
  writeChoice(to, selection.partitions)
  to.varint(position.turn)
  const partitions = Map.groupBy(position.offsets, ({ partition }) => partition)
  to.varint(partitions.size)
  for (const [id, offsets] of partitions) {
    to.short(fromHex(id))
    to.varint(offsets.length)
    for (const { bucket, offset } of offsets) {
      to.varint(bucket)
      to.varint(offset)
    }
  }
  to.u32(crc32(to.bytes()))
  return Buffer.from(to.bytes()).toString('base64url')
}

function writeChoice(to: Writer, choice: PartitionChoice): void {
  if (choice.kind === 'all') return to.u8(0)
  const text = utf8(choice.kind === 'name' ? choice.name : choice.prefix)
  to.u8(choice.kind === 'name' ? 1 : 2)
  to.u16(text.length)
  to.raw(text)
}

/** Errors: `bad-cursor`. */
export function decodeCursor(text: string): Cursor {
  if (text.length > limits.cursorLengthMax) throw bad('it is too long')
  if (!/^[A-Za-z0-9_-]+$/.test(text)) throw bad('it has characters that no cursor has')
  try {
    return read(Buffer.from(text, 'base64url'))
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError) throw bad('it is damaged')
    throw error
  }
}

function read(bytes: Uint8Array): Cursor {
  const from = new Reader(bytes.subarray(0, Math.max(0, bytes.length - 4)))
  const found = from.u8()
  if (found !== version) throw bad(`its version is ${found}, this server writes ${version}`)
  if (new Reader(bytes.subarray(-4)).u32() !== crc32(bytes.subarray(0, -4))) throw new RangeError('checksum')
  const tableId = hex(from.raw(8))
  const nameCrc = from.u32()
  const buckets = readSpans(from)
  const partitions = readChoice(from)
  const turn = numberOf(from, limits.fetchBucketsMax)
  const offsets = readOffsets(from)
  if (!from.isAtEnd) throw new RangeError('more than a cursor')
  return { tableId, nameCrc, selection: { buckets, partitions }, position: { offsets, turn } }
}

function readSpans(from: Reader): readonly BucketSpan[] {
  let after = 0
  return Array.from({ length: numberOf(from, limits.fetchBucketsMax) }, () => {
    const first = numberOf(from, limits.bucketsMax - 1)
    const last = first + numberOf(from, limits.bucketsMax - 1)
    if (first < after || last >= limits.bucketsMax) throw new RangeError('buckets')
    after = last + 1
    return { first, last }
  })
}

function readChoice(from: Reader): PartitionChoice {
  const kind = from.u8()
  if (kind === 0) return { kind: 'all' }
  const length = from.u16()
  if (kind > 2 || length > limits.partitionNameBytesMax) throw new RangeError('partitions')
  const text = utf8Text(from.raw(length))
  return kind === 1 ? { kind: 'name', name: text } : { kind: 'prefix', prefix: text }
}

function readOffsets(from: Reader): readonly ReadOffset[] {
  const offsets: ReadOffset[] = []
  const seen = new Set<string>()
  const partitions = numberOf(from, limits.fetchBucketsMax)
  for (let i = 0; i < partitions; i++) {
    const partition = hex(from.short())
    const count = numberOf(from, limits.fetchBucketsMax - offsets.length)
    for (let j = 0; j < count; j++) {
      const bucket = numberOf(from, limits.bucketsMax - 1)
      const key = `${partition}#${bucket}`
      if (seen.has(key)) throw new RangeError('a bucket twice')
      seen.add(key)
      offsets.push({ partition, bucket, offset: offsetIn(from) })
    }
  }
  return offsets
}

const offsetIn = (from: Reader): Offset => offsetOf(from.varint())

function numberOf(from: Reader, max: number): number {
  const value = from.varint()
  if (value > BigInt(max)) throw new RangeError('too large')
  return Number(value)
}

const bad = (what: string): SluiceError =>
  new SluiceError('bad-cursor', `cursor: ${what}: take Sluice-Cursor of the last answer, or begin with offset=`, {
    facts: { parameter: 'cursor' },
  })
