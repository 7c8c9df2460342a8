/**
 * LZ4 frames (lz4_Frame_format.md), for compressed Arrow buffers. The output size is known and allocated by the caller's budget;
 * every copy is checked against input and output. Checksums in the frame are skipped: bodies are checked as a whole elsewhere.
 */
import { viewOf } from '../../kernel/bytes.ts'
import { damaged } from './flatbuffer.ts'

export function decodeLz4Frame(bytes: Uint8Array, expandedBytes: number): Uint8Array {
  const view = viewOf(bytes)
  if (bytes.length < 7 || view.getUint32(0, true) !== 0x184d2204) throw damaged('an LZ4 frame has no header')
  const flags = bytes[4] as number
  if (flags >>> 6 !== 1) throw damaged('an LZ4 frame has another version')
  const blockChecksum = (flags & 0x10) !== 0 ? 4 : 0
  let at = 7 + ((flags & 0x08) !== 0 ? 8 : 0) + ((flags & 0x01) !== 0 ? 4 : 0)
  const out = new Uint8Array(expandedBytes)
  let length = 0
  for (;;) {
    if (at + 4 > bytes.length) throw damaged('an LZ4 frame is cut off')
    const word = view.getUint32(at, true)
    at += 4
    if (word === 0) break
    const size = word & 0x7fffffff
    if (at + size + blockChecksum > bytes.length) throw damaged('an LZ4 block is cut off')
    length = word >>> 31 === 1 ? copyBlock(bytes, at, size, out, length) : decodeBlock(bytes, at, at + size, out, length)
    at += size + blockChecksum
  }
  if (length !== expandedBytes) throw damaged('an LZ4 frame expands to another length than it says')
  return out
}

function copyBlock(bytes: Uint8Array, at: number, size: number, out: Uint8Array, length: number): number {
  if (length + size > out.length) throw damaged('an LZ4 frame expands to more than it says')
  out.set(bytes.subarray(at, at + size), length)
  return length + size
}

/** Decodes [at, end) to `out` from `length`; returns the new length. Matches may reach into earlier blocks. */
function decodeBlock(bytes: Uint8Array, start: number, end: number, out: Uint8Array, start2: number): number {
  let at = start
  let length = start2
  while (at < end) {
    const token = bytes[at++] as number
    let literals = token >>> 4
    if (literals === 15) {
      let more = 255
      while (more === 255) {
        if (at >= end) throw damaged('an LZ4 block is cut off')
        more = bytes[at++] as number
        literals += more
      }
    }
    if (at + literals > end || length + literals > out.length) throw damaged('an LZ4 literal lies outside')
    for (let i = 0; i < literals; i++) out[length++] = bytes[at++] as number
    if (at === end) return length
    if (at + 2 > end) throw damaged('an LZ4 block is cut off')
    const distance = (bytes[at] as number) | ((bytes[at + 1] as number) << 8)
    at += 2
    let match = (token & 15) + 4
    if (match === 19) {
      let more = 255
      while (more === 255) {
        if (at >= end) throw damaged('an LZ4 block is cut off')
        more = bytes[at++] as number
        match += more
      }
    }
    if (distance === 0 || distance > length || length + match > out.length) throw damaged('an LZ4 match lies outside')
    for (let i = 0; i < match; i++, length++) out[length] = out[length - distance] as number
  }
  return length
}
