import { expect, test } from 'vitest'
import { utf8Text } from '../../kernel/bytes.ts'
import { bucketColumn, offsetColumn, partitionColumn, timestampColumn } from '../../model/system-columns.ts'
import { repeated } from './repeats.ts'
import { type RowsPlace, systemData } from './system.ts'

const place = (more: Partial<RowsPlace>): RowsPlace => ({ partition: 'p', bucket: 0, offset: 0n, timestamp: 0, rows: 3, ...more })

function longs({ values }: { readonly values: Uint8Array | undefined }): readonly bigint[] {
  const bytes = new Uint8Array(values ?? [])
  return [...new BigInt64Array(bytes.buffer)]
}

test.each([
  ['small', place({ offset: 7n }), [7n, 8n, 9n]],
  ['across 32 bits', place({ offset: 2n ** 32n - 2n }), [2n ** 32n - 2n, 2n ** 32n - 1n, 2n ** 32n]],
  ['the last there are', place({ offset: 2n ** 63n - 4n }), [2n ** 63n - 4n, 2n ** 63n - 3n, 2n ** 63n - 2n]],
  [
    'picked',
    place({ offset: 2n ** 40n + 1n, picked: { base: 2n ** 40n - 1n, indices: Uint32Array.of(0, 1, 9) } }),
    [2n ** 40n - 1n, 2n ** 40n, 2n ** 40n + 8n],
  ],
] as const)('the column of offsets has each row’s: %s', (_, rows, expected) => {
  expect(longs(systemData(offsetColumn, rows))).toEqual(expected)
})

test('what stands in every row is right however many rows asked for it before', () => {
  for (const rows of [3, 1_000, 2, 200_000, 0, 5]) {
    for (const partition of ['day=7', '', 'é']) {
      const { offsets, values } = systemData(partitionColumn, place({ partition, rows }))
      expect([offsets?.length, offsets?.[rows], values?.length]).toEqual([
        rows + 1,
        values?.length,
        new Blob([partition]).size * rows,
      ])
      expect(utf8Text(values ?? new Uint8Array())).toBe(partition.repeat(rows))
    }
    const buckets = systemData(bucketColumn, place({ bucket: 1_023, rows })).values
    expect([...new Int32Array(new Uint8Array(buckets ?? []).buffer)]).toEqual(new Array(rows).fill(1_023))
    expect(longs(systemData(timestampColumn, place({ timestamp: 1_795_253_400_000, rows })))).toEqual(
      new Array(rows).fill(1_795_253_400_000n),
    )
  }
})

test('many values and long ones do not push each other out of shape', () => {
  for (let i = 0; i < 300; i++) {
    const value = Uint8Array.of(i & 255, i >> 8, 3)
    const all = repeated(value, 40_000)
    expect([all.length, all.subarray(-3)]).toEqual([120_000, value])
  }
})
