/** Cursors that no server gave: their checksum is right, what they say is not. */
import { crc32 } from 'node:zlib'
import { Writer } from './binary.ts'

/** Well formed up to the count of a million; `present` entries follow it. */
export function millionOf(counted: 'spans' | 'partitions' | 'offsets', present: number): string {
  const to = new Writer()
  to.u8(1)
  to.raw(new Uint8Array(8))
  to.u32(0)
  to.varint(counted === 'spans' ? 1_000_000 : 0)
  to.u8(0)
  to.varint(0)
  to.varint(counted === 'partitions' ? 1_000_000 : 1)
  if (counted === 'offsets') {
    to.short(new Uint8Array(4))
    to.varint(1_000_000)
  }
  for (let i = 0; i < present; i++) to.raw(Uint8Array.of(0, 0))
  return Buffer.concat([to.bytes(), crcOf(to.bytes())]).toString('base64url')
}

export function crcOf(bytes: Uint8Array): Buffer {
  const out = Buffer.alloc(4)
  out.writeUInt32LE(crc32(bytes))
  return out
}
