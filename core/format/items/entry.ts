/**
 * A log entry: where the rows of one commit in one bucket lie. 34 bytes, so that twelve of them and eight producers fit
 * in a head of 1 KiB. Layout, big-endian: label u48 · random 8 bytes · flags u8 (bit 0 inline) · directory byte u8 ·
 * range start u32 · range length u32 · rows u32 · time u48. The table's prefix is not repeated in it.
 */
import { assert } from '../../kernel/assert.ts'
import { fromHex, hex, viewOf } from '../../kernel/bytes.ts'
import { type Label, labelOf, labelTime } from '../../kernel/ids.ts'

export interface Entry {
  readonly label: Label
  /** 16 hex digits. */
  readonly random: string
  readonly inline: boolean
  /** Lowest bucket in the object mod 256: the two hex digits of the key. */
  readonly directory: number
  /** Byte range of the bucket in the object. */
  readonly start: number
  readonly length: number
  /** Rows. */
  readonly count: number
  /** The committer's clock, ms since 1970. */
  readonly time: number
}

export const entryBytes = 34

export function encodeEntry(entry: Entry): Uint8Array {
  const out = new Uint8Array(entryBytes)
  const view = viewOf(out)
  writeU48(view, 0, labelTime(entry.label))
  out.set(fromHex(entry.random), 6)
  out[14] = entry.inline ? 1 : 0
  out[15] = entry.directory
  view.setUint32(16, entry.start)
  view.setUint32(20, entry.length)
  view.setUint32(24, entry.count)
  writeU48(view, 28, entry.time)
  return out
}

export function decodeEntry(bytes: Uint8Array): Entry {
  assert(bytes.length === entryBytes, 'a log entry has 34 bytes', { length: bytes.length })
  const view = viewOf(bytes)
  const flags = bytes[14] as number
  assert(flags <= 1, 'a log entry has known flags', { flags })
  return {
    label: labelOf(readU48(view, 0)),
    random: hex(bytes.subarray(6, 14)),
    inline: flags === 1,
    directory: bytes[15] as number,
    start: view.getUint32(16),
    length: view.getUint32(20),
    count: view.getUint32(24),
    time: readU48(view, 28),
  }
}

/** Object keys: `t/<tableId>/<2 hex>/<label>-<random>`, with a trailing `i` where the object is inline. */

export function objectKey(tableId: string, at: Pick<Entry, 'directory' | 'label' | 'random' | 'inline'>): string {
  return `t/${tableId}/${at.directory.toString(16).padStart(2, '0')}/${at.label}-${at.random}${at.inline ? 'i' : ''}`
}

/** The label in an object's key, or undefined for a key of another form. */
export function keyLabel(key: string): Label | undefined {
  const match = /\/([0-9a-f]{12})-[0-9a-f]{16}i?$/.exec(key)
  return match?.[1] as Label | undefined
}

function writeU48(view: DataView, at: number, value: number): void {
  view.setUint16(at, Math.floor(value / 2 ** 32) & 0xffff)
  view.setUint32(at + 2, value >>> 0)
}

function readU48(view: DataView, at: number): number {
  return view.getUint16(at) * 2 ** 32 + view.getUint32(at + 2)
}
