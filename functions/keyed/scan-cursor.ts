/**
 * The cursor of a scan as text: version, table, bucket, lease, offset, key, and a checksum; base64url. It comes back from outside, so
 * reading one believes nothing: a lease that is not there has expired, and a key is any bytes.
 */
import { crc32 } from 'node:zlib'
import { Reader, Writer } from '../../core/format/binary.ts'
import { bytesOfText, textOf } from '../../core/format/run/text.ts'
import { fromHex, hex, utf8, utf8Text, viewOf } from '../../core/kernel/bytes.ts'
import { SluiceError } from '../../core/kernel/errors.ts'
import { offsetOf } from '../../core/kernel/ids.ts'
import type { ScanPlace } from '../../core/kv/scan.ts'

export interface ScanCursor {
  readonly tableId: string
  /** Name of the partition. */
  readonly partition: string
  readonly bucket: number
  /** Undefined: before the bucket's first row. */
  readonly place: ScanPlace | undefined
}

const version = 1
const lengthMax = 32 * 1024

export function encodeScanCursor({ tableId, partition, bucket, place }: ScanCursor): string {
  const to = new Writer()
  to.u8(version)
  to.raw(fromHex(tableId))
  const name = utf8(partition)
  to.u16(name.length)
  to.raw(name)
  to.u16(bucket)
  to.u8(place === undefined ? 0 : 1)
  if (place !== undefined) {
    to.raw(fromHex(place.lease))
    to.varint(place.at)
    const { after = '' } = place
    to.u8(place.after === undefined ? 0 : 1)
    to.u16(after.length)
    to.raw(bytesOfText(after))
  }
  to.u32(crc32(to.bytes()))
  return Buffer.from(to.bytes()).toString('base64url')
}

/** Errors: `bad-cursor`. */
export function decodeScanCursor(text: string): ScanCursor {
  if (text.length > lengthMax || !/^[A-Za-z0-9_-]+$/.test(text)) throw bad()
  const bytes = new Uint8Array(Buffer.from(text, 'base64url'))
  const end = bytes.length - 4
  if (end < 1 || viewOf(bytes).getUint32(end, true) !== crc32(bytes.subarray(0, end))) throw bad()
  try {
    const from = new Reader(bytes.subarray(0, end))
    if (from.u8() !== version) throw bad()
    const tableId = hex(from.raw(8))
    const partition = utf8Text(from.raw(from.u16()))
    const bucket = from.u16()
    const place = from.u8() === 0 ? undefined : readPlace(from)
    if (!from.isAtEnd) throw bad()
    return { tableId, partition, bucket, place }
  } catch {
    throw bad()
  }
}

function readPlace(from: Reader): ScanPlace {
  const lease = hex(from.raw(8))
  const at = offsetOf(from.varint())
  const hasKey = from.u8() === 1
  const key = textOf(from.raw(from.u16()))
  return { lease, at, after: hasKey ? key : undefined }
}

const bad = (): SluiceError => new SluiceError('bad-cursor', 'this is no cursor of ours: pass Sluice-Cursor as it came')
