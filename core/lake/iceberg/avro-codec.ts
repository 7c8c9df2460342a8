/** Blocks of Avro files as other writers compress them (Avro 1.12, "Required Codecs", "Optional Codecs"), expanded to a limit. */
import { crc32, inflateRawSync, zstdDecompressSync } from 'node:zlib'
import { viewOf } from '../../kernel/bytes.ts'
import { SluiceError } from '../../kernel/errors.ts'

/** `bytesMax`: more is an error. */
export function expandBlock(codec: string, block: Uint8Array, bytesMax: number): Uint8Array {
  switch (codec) {
    case 'null':
      return block
    case 'deflate':
      return inflateRawSync(block, { maxOutputLength: bytesMax })
    case 'zstandard':
      return zstdDecompressSync(block, { maxOutputLength: bytesMax })
    case 'snappy':
      return expandSnappyBlock(block, bytesMax)
    default:
      throw new SluiceError('not-supported', `avro codec ${JSON.stringify(codec.slice(0, 40))}: use deflate, zstandard or snappy`)
  }
}

/** Raw Snappy, then the CRC-32 of what it expands to, big-endian. */
function expandSnappyBlock(block: Uint8Array, bytesMax: number): Uint8Array {
  if (block.length < 5) throw damaged('it is too short')
  const bytes = expandSnappy(block.subarray(0, -4), bytesMax)
  if (viewOf(block).getUint32(block.length - 4) !== crc32(bytes)) throw damaged('its checksum differs')
  return bytes
}

/** Format description of Snappy, version of 2011-10-05. Every step uses up input, so hostile bytes end too. */
export function expandSnappy(input: Uint8Array, bytesMax: number): Uint8Array {
  const reader = { input, at: 0 }
  const length = readVarint(reader)
  if (length > bytesMax) throw damaged(`it claims ${length} bytes`)
  const out = new Uint8Array(length)
  let end = 0
  while (reader.at < input.length) {
    const tag = readNumber(reader, 1)
    const kind = tag & 3
    if (kind === 0) {
      const size = 1 + (tag >> 2 < 60 ? tag >> 2 : readNumber(reader, (tag >> 2) - 59))
      if (reader.at + size > input.length || end + size > length) throw damaged('a literal is cut')
      out.set(input.subarray(reader.at, reader.at + size), end)
      reader.at += size
      end += size
    } else {
      const size = kind === 1 ? 4 + ((tag >> 2) & 7) : 1 + (tag >> 2)
      const back = kind === 1 ? ((tag >> 5) << 8) + readNumber(reader, 1) : readNumber(reader, kind === 2 ? 2 : 4)
      if (back === 0 || back > end || end + size > length) throw damaged('a copy lies outside')
      // One by one, because a copy may overlap what it makes.
      for (let i = 0; i < size; i++) out[end + i] = out[end + i - back] as number
      end += size
    }
  }
  if (end !== length) throw damaged(`it holds ${end} of ${length} bytes`)
  return out
}

interface Reader {
  readonly input: Uint8Array
  at: number
}

/** Little-endian. */
function readNumber(reader: Reader, bytes: number): number {
  if (reader.at + bytes > reader.input.length) throw damaged('it ends early')
  let value = 0
  for (let i = 0; i < bytes; i++) value += (reader.input[reader.at + i] as number) * 2 ** (8 * i)
  reader.at += bytes
  return value
}

function readVarint(reader: Reader): number {
  let value = 0
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = readNumber(reader, 1)
    value += (byte & 0x7f) * 2 ** shift
    if (byte < 0x80) return value
  }
  throw damaged('its length does not end')
}

const damaged = (why: string): SluiceError => new SluiceError('internal', `a snappy block is damaged: ${why}`)
