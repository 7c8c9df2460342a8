/** Compressed bodies: everything that was sent is read, or the body is refused. */
import { constants, gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { expand } from './encoding.ts'

const of = { gzip: gzipSync, zstd: zstdCompressSync } as const
const text = async (bytes: Promise<Uint8Array>) => Buffer.from(await bytes).toString()

describe.each(['gzip', 'zstd'] as const)('%s', (encoding) => {
  const frame = (value: string | Buffer) => of[encoding](value)

  test('frames that follow each other are one body', async () => {
    const body = Buffer.concat([frame('{"id":1}\n'), frame(''), frame('{"id":2}\n')])
    expect(await text(expand(body, encoding, 18))).toBe('{"id":1}\n{"id":2}\n')
  })

  test('the limit counts all frames', async () => {
    const body = Buffer.concat([frame(Buffer.alloc(9)), frame(Buffer.alloc(9))])
    await expect(expand(body, encoding, 17)).rejects.toMatchObject({ code: 'too-large' })
    await expect(expand(body, encoding, 9)).rejects.toMatchObject({ code: 'too-large' })
  })

  test('what follows and is no frame, and a frame that is cut, are refused', async () => {
    const whole = frame('{"id":1}\n')
    for (const body of [Buffer.concat([whole, Buffer.from('junk')]), Buffer.concat([whole, whole.subarray(0, -1)])]) {
      await expect(expand(body, encoding, 100)).rejects.toMatchObject({ code: 'bad-request' })
    }
  })
})

test('zstd frames without number are refused', async () => {
  const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0])
  const body = Buffer.concat(Array.from({ length: 100_000 }, () => skippable))
  await expect(expand(body, 'zstd', 100)).rejects.toMatchObject({ code: 'bad-request' })
})

test('a zstd frame of unknown length', async () => {
  const body = zstdCompressSync('{"id":1}\n', { params: { [constants.ZSTD_c_contentSizeFlag]: 0 } })
  expect(await text(expand(body, 'zstd', 100))).toBe('{"id":1}\n')
})
