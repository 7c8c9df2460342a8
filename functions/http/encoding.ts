/**
 * Bodies in and out of gzip and zstd. What comes in expands to a limit and no further, whatever it claims: the
 * decoder stops at the first byte beyond, so a bomb costs its limit at most.
 */
import { promisify } from 'node:util'
import { constants, gunzip, gzip, zstdCompress, zstdDecompress, zstdDecompressSync } from 'node:zlib'
import type { Encoding } from '../../contract/media.ts'
import { SluiceError } from '../../core/kernel/errors.ts'

const decoders = { gzip: promisify(gunzip), zstd: promisify(zstdDecompress) } as const
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
    return await decoders[encoding](body, { maxOutputLength: expandedBytesMax })
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new SluiceError('too-large', `the body expands to more than ${expandedBytesMax} bytes: send less at once`, {
        facts: { limit: expandedBytesMax },
      })
    }
    throw new SluiceError('bad-request', `the body is not ${encoding}`, { cause: error })
  }
}

/** Below this, headers cost more than compression saves. */
const worthBytesMin = 1024

export async function compress(
  body: Uint8Array,
  encoding: Encoding | undefined,
): Promise<{ bytes: Uint8Array; encoding: Encoding } | undefined> {
  if (encoding === undefined || body.length < worthBytesMin) return undefined
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
