/**
 * Bodies in and out of gzip and zstd. What comes in expands to a limit and no further, whatever it claims: the
 * decoder stops at the first byte beyond, so a bomb costs its limit at most.
 */
import { promisify } from 'node:util'
import { constants, gunzip, gzip, zstdCompress, zstdDecompress, zstdDecompressSync } from 'node:zlib'
import type { Encoding } from '../../contract/media.ts'
import { concat, joined, lengthOf, type Pieces } from '../../core/kernel/bytes.ts'
import { isSluiceError, SluiceError } from '../../core/kernel/errors.ts'

const gunzipOf = promisify(gunzip)
/** With `info`, the engine says how much of the input it used. */
const unzstdOf = promisify(zstdDecompress) as unknown as (
  bytes: Uint8Array,
  options: { readonly maxOutputLength: number; readonly info: true },
) => Promise<{ readonly buffer: Uint8Array; readonly engine: { readonly bytesWritten: number } }>
const gzipOf = promisify(gzip)
const zstdOf = promisify(zstdCompress)

/** Expanding holds a whole limit's worth of memory, so few do it at once; the others wait their turn. */
const expansionsAtOnce = 4
const turns: (() => void)[] = []
let expanding = 0

export async function expand(body: Uint8Array, encoding: Encoding, expandedBytesMax: number): Promise<Uint8Array> {
  if (expanding >= expansionsAtOnce) await new Promise<void>((turn) => turns.push(turn))
  else expanding++
  try {
    return await expandNow(body, encoding, expandedBytesMax)
  } finally {
    const next = turns.shift()
    if (next === undefined) expanding--
    else next()
  }
}

async function expandNow(body: Uint8Array, encoding: Encoding, expandedBytesMax: number): Promise<Uint8Array> {
  try {
    if (encoding === 'gzip') return await gunzipOf(body, { maxOutputLength: expandedBytesMax })
    return await expandFrames(body, expandedBytesMax)
  } catch (error) {
    if (isSluiceError(error)) throw error
    if ((error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(expandedBytesMax)
    throw new SluiceError('bad-request', `the body is not ${encoding}`, { cause: error })
  }
}

/** Frames cost time even if they hold nothing. */
const framesMax = 1_024

/** Node's decoder ends after the first frame; a body is all of them. */
async function expandFrames(body: Uint8Array, expandedBytesMax: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let left = expandedBytesMax
  for (let at = 0; at < body.length; ) {
    if (parts.length === framesMax) throw new SluiceError('bad-request', `the body has more than ${framesMax} zstd frames`)
    const { buffer, engine } = await unzstdOf(body.subarray(at), { maxOutputLength: Math.max(1, left), info: true })
    if (engine.bytesWritten === 0) throw new SluiceError('bad-request', 'the body is not zstd')
    at += engine.bytesWritten
    left -= buffer.length
    if (left < 0) throw tooLarge(expandedBytesMax)
    parts.push(buffer)
  }
  return parts.length === 1 ? (parts[0] as Uint8Array) : concat(parts)
}

function tooLarge(limit: number): SluiceError {
  return new SluiceError('too-large', `the body expands to more than ${limit} bytes: send less at once`, { facts: { limit } })
}

/** Below this, headers cost more than compression saves. */
const worthBytesMin = 1024

export async function compress(
  pieces: Pieces,
  encoding: Encoding | undefined,
): Promise<{ bytes: Uint8Array; encoding: Encoding } | undefined> {
  if (encoding === undefined || lengthOf(pieces) < worthBytesMin) return undefined
  const body = joined(pieces)
  const bytes =
    encoding === 'gzip'
      ? await gzipOf(body, { level: 1 })
      : await zstdOf(body, { params: { [constants.ZSTD_c_compressionLevel]: 1 } })
  return bytes.length < body.length * 0.9 ? { bytes, encoding } : undefined
}

/** One buffer inside a body, for readers that cannot wait. */
export function expandBuffer(bytes: Uint8Array, expandedBytes: number): Uint8Array {
  return zstdDecompressSync(bytes, { maxOutputLength: expandedBytes })
}
