import { expect, test } from 'vitest'
import { labelOf } from '../../kernel/ids.ts'
import { decodeLakeItem, encodeLakeItem, type LakeItem, newLakeItem } from './lake.ts'

const tableId = '0123456789abcdef'
const ref = (kind: string) => ({ key: `lake/${tableId}/${kind}/0199aabbccdd-0123456789abcdef.metadata.json`, crc32: 0xffffffff })
const full: LakeItem = {
  version: 2n ** 53n,
  epoch: 2n ** 63n - 1n,
  lease: 1_800_000_000_000,
  holder: '0123456789abcdef',
  gc: labelOf(1_800_000_000_000),
  open: true,
  committed: { metadata: ref('staged'), points: ref('points'), snapshotId: 2n ** 53n - 1n },
  lastError: { message: 'x'.repeat(300), at: 1_800_000_000_000, count: 1_000_000 },
  at: 1_800_000_000_000,
  collectDue: 1_800_000_000_000,
}

test('a lake item comes back as it was', () => {
  expect(decodeLakeItem(encodeLakeItem(full))).toEqual(full)
  const fresh = newLakeItem(tableId, labelOf(7))
  expect(fresh.key).toEqual({ partition: tableId, sort: 'lake' })
  expect(decodeLakeItem(fresh.attributes)).toMatchObject({
    version: 0n,
    epoch: 0n,
    open: true,
    gc: labelOf(7),
    committed: undefined,
  })
})

test('a full lake item stays below 1 KiB', () => {
  const bytes = Object.entries(encodeLakeItem(full)).reduce((sum, [name, value]) => sum + name.length + String(value).length, 0)
  expect(bytes).toBeLessThan(1024)
})

test('a long failure is cut at a whole character', () => {
  const item = decodeLakeItem(encodeLakeItem({ ...full, lastError: { message: '€'.repeat(200), at: 1, count: 1 } }))
  expect(item.lastError?.message).toBe('€'.repeat(100))
})

test('a failure that an older build noted is the first', () => {
  const { failures, ...older } = encodeLakeItem(full)
  expect(failures).toBe(1_000_000n)
  expect(decodeLakeItem(older).lastError?.count).toBe(1)
})

const attributes = encodeLakeItem(full)
const bad: readonly (readonly [string, Record<string, unknown>])[] = [
  ['a newer codec', { codec: 2n }],
  ['a missing epoch', { epoch: undefined }],
  ['a negative version', { version: -1n }],
  ['a lease that is text', { lease: '5' }],
  ['a gc that is no label', { gc: 'now' }],
  ['open that is a number', { open: 1n }],
  ['a commit without its points', { points: undefined }],
  ['a version without a commit', { metadata: undefined }],
  ['a commit at version 0', { version: 0n }],
  ['a failure that is not counted', { failures: 0n }],
]
test.each(bad)('%s is rejected', (_, change) => {
  expect(() => decodeLakeItem({ ...attributes, ...change } as typeof attributes)).toThrow(/lake item/)
})
