/** values(decode(encode(union(a, b)))) = a ∪ b, bytes as the specification draws them, and damage refused. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromHex, hex } from '../../kernel/bytes.ts'
import { isSluiceError } from '../../kernel/errors.ts'
import { anySet, bigintsOf, numbersOf, roaring32Of, roaring64Of } from './roaring.case.ts'
import { decodeRoaring32, encodeRoaring32, uniteRoaring32 } from './roaring32.ts'
import { decodeRoaring64, encodeRoaring64, uniteRoaring64 } from './roaring64.ts'

/** Their maker is beside them. */
const fixtures = new URL('../../../test/fixtures/roaring/', import.meta.url)

const ascending = (values: Iterable<number>): number[] => [...new Set(values)].sort((a, b) => a - b)

test('a union holds the values of both, and equal sets are equal bytes', () => {
  fc.assert(
    fc.property(anySet, anySet, (a, b) => {
      const read = (values: number[]) => decodeRoaring32(encodeRoaring32(roaring32Of(values)))
      const bytes = encodeRoaring32(uniteRoaring32(read(a), read(b)))
      expect(numbersOf(decodeRoaring32(bytes))).toEqual(ascending([...a, ...b]))
      expect(hex(bytes)).toBe(hex(encodeRoaring32(roaring32Of([...a, ...b]))))
    }),
    { numRuns: 15 },
  )
})

test('64-bit values go by their high halves', () => {
  const a = [0n, 5n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n]
  const b = [5n, 6n, 2n ** 33n, 2n ** 64n - 2n]
  const read = (values: bigint[]) => decodeRoaring64(encodeRoaring64(roaring64Of(values)))
  const all = [...new Set([...a, ...b])].sort((x, y) => (x < y ? -1 : 1))
  expect(bigintsOf(read([...a]))).toEqual(a)
  expect(bigintsOf(decodeRoaring64(encodeRoaring64(uniteRoaring64(read(a), read(b)))))).toEqual(all)
})

describe('bytes as the specification draws them', () => {
  const layouts: readonly (readonly [string, number[], string])[] = [
    ['nothing', [], '3a30000000000000'],
    ['an array', [1, 2, 4, 65535], '3a300000010000000000030010000000' + '010002000400ffff'],
    ['runs, without offsets', [11, 12, 13, 14, 15], '3b3000000100000400' + '01000b000400'],
    ['two containers', [1, 131072 + 9], '3a30000002000000' + '0000000002000000' + '180000001a000000' + '0100' + '0900'],
  ]
  test.each(layouts)('%s', (_, values, bytes) => {
    expect(hex(encodeRoaring32(roaring32Of(values)))).toBe(bytes)
    expect(numbersOf(decodeRoaring32(fromHex(bytes)))).toEqual(values)
  })

  test('a 64-bit bitmap is a count, and a high half before each bitmap', () => {
    const bytes = '0100000000000000' + '02000000' + '3a300000010000000000000010000000' + '0700'
    expect(hex(encodeRoaring64(roaring64Of([(2n << 32n) | 7n])))).toBe(bytes)
    expect(bigintsOf(decodeRoaring64(fromHex(bytes)))).toEqual([(2n << 32n) | 7n])
  })

  test('a 64-bit bitmap with a high half of nothing is read, and written without it', () => {
    const bytes = fromHex('0100000000000000' + '02000000' + '3a30000000000000')
    expect(hex(encodeRoaring64(decodeRoaring64(bytes)))).toBe('0000000000000000')
  })

  test('four containers with runs have offsets', () => {
    const values = [0, 1, 2, 3].flatMap((key) => [0, 1, 2, 3, 4, 5, 6, 7].map((low) => key * 65536 + low))
    const bytes = encodeRoaring32(roaring32Of(values))
    const headers = [0, 1, 2, 3].map((key) => `0${key}000700`).join('')
    const offsets = '25000000' + '2b000000' + '31000000' + '37000000'
    expect(hex(bytes)).toBe(`3b300300${'0f'}${headers}${offsets}${'010000000700'.repeat(4)}`)
  })

  test('the set of the published test files, in every kind of container, is the bytes of CRoaring', () => {
    const values = [
      ...Array.from({ length: 100 }, (_, i) => i * 1000),
      ...Array.from({ length: 100_000 }, (_, i) => 3 * (100_000 + i)),
      ...Array.from({ length: 100_000 }, (_, i) => 700_000 + i),
    ]
    const bytes = encodeRoaring32(roaring32Of(values))
    expect(new Set(decodeRoaring32(bytes).containers.map(({ kind }) => kind))).toEqual(new Set(['array', 'bits', 'runs']))
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(
      '1f1909bfdd354fa2f0694fe88b8076833ca5383ad9fc3f68f2709c84a2ab70e3',
    )
    expect(numbersOf(decodeRoaring32(bytes))).toEqual(values)
  })

  test('what CRoaring wrote is read, and written in as few bytes', () => {
    const dense = decodeRoaring32(readFileSync(new URL('dense.bin', fixtures)))
    expect(dense.containers.map(({ kind }) => kind)).toEqual(['bits', 'array'])
    expect(numbersOf(dense)).toEqual([...Array.from({ length: 5000 }, (_, i) => i), 65537, 65541])
    const bytes = readFileSync(new URL('positions64.bin', fixtures))
    const run = Array.from({ length: 100 }, (_, i) => 2n ** 33n + BigInt(i))
    expect(bigintsOf(decodeRoaring64(bytes))).toEqual([0n, 7n, 2n ** 32n + 1n, ...run, 2n ** 40n])
    expect(hex(encodeRoaring64(decodeRoaring64(bytes)))).toBe(bytes.toString('hex'))
  })
})

describe('damage is refused', () => {
  const wrong: readonly (readonly [string, string])[] = [
    ['nothing at all', ''],
    ['another cookie', '0000000000000000'],
    ['a cookie with something above it', '3a30010000000000'],
    ['more containers than there can be', '3a30000001000100'],
    ['more containers than the bytes pay for', '3a30000000000100'],
    ['values that do not ascend', '3a300000010000000000010010000000' + '02000100'],
    ['an equal value twice', '3a300000010000000000010010000000' + '02000200'],
    ['a cut array', '3a300000010000000000010010000000' + '0200'],
    ['bytes behind the end', '3a300000010000000000000010000000' + '020000'],
    ['a wrong offset', '3a300000010000000000000011000000' + '0200'],
    ['containers that do not ascend', '3a300000020000000200000002000000' + '180000001a000000' + '0100' + '0900'],
    ['runs that overlap', '3b3000000100000300' + '02000b0001000c000100'],
    ['a run past the container', '3b3000000100000100' + '0100ffff0100'],
    ['a count that is not that of the runs', '3b3000000100000500' + '01000b000400'],
    ['a count that is not that of the bits', `3a30000001000000000000101000000001${'00'.repeat(8191)}`],
    ['no runs', '3b3000000100000000' + '0000'],
  ]
  test.each(wrong)('%s', (_, bytes) => {
    expect(() => decodeRoaring32(fromHex(bytes))).toThrow('this is no roaring bitmap')
  })

  const wrong64: readonly (readonly [string, string])[] = [
    ['no count', '01'],
    ['a count that the bytes do not pay for', 'ffffffffffffffff'],
    ['high halves that do not ascend', `0200000000000000${'000000003a30000000000000'.repeat(2)}`],
    ['bytes behind the end', '000000000000000000'],
  ]
  test.each(wrong64)('64 bits: %s', (_, bytes) => {
    expect(() => decodeRoaring64(fromHex(bytes))).toThrow('this is no roaring bitmap')
  })

  test('whatever byte is changed, only our own error escapes', () => {
    const sample = encodeRoaring64(roaring64Of([...Array.from({ length: 9 }, (_, i) => BigInt(i)), 2n ** 40n, 70_000n, 200_000n]))
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(sample.length - 1), fc.nat(255)), { maxLength: 4 }),
        fc.nat(sample.length),
        (edits, end) => {
          const bytes = Uint8Array.from(sample)
          for (const [at, byte] of edits) bytes[at] = byte
          try {
            const bitmap = decodeRoaring64(bytes.subarray(0, end))
            uniteRoaring64(bitmap, bitmap)
          } catch (error) {
            if (!isSluiceError(error, 'invalid-rows')) throw error
          }
        },
      ),
    )
  })
})
