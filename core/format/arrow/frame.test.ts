import { tableFromIPC } from 'apache-arrow'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { concat } from '../../kernel/bytes.ts'
import { anyBatch, batchOf, fieldOf, rowsOf } from './batch.case.ts'
import { decodeFrame, encodeFrame, patchFrame, readPosition, scanFrame, sliceFrame } from './frame.ts'
import { encodeSchemaMessage, endOfStream } from './schema.ts'

const fields = [
  fieldOf('id', { kind: 'bigint' }, false),
  fieldOf('tags', { kind: 'array', element: { kind: 'string' }, elementId: 0 }),
]
const batch = batchOf(fields, [
  [1n, ['a', null]],
  [2n, null],
  [3n, []],
])

test('a frame is decoded to the batch that it was made of', () => {
  fc.assert(
    fc.property(anyBatch, (any) => {
      const back = decodeFrame(encodeFrame(any), any.fields)
      expect(rowsOf(back)).toEqual(rowsOf(any))
    }),
  )
})

test('positions are patched in place and read back', () => {
  const frame = encodeFrame(batch, { partition: 'dt=2026-11-21/größe=1' })
  const patched = patchFrame(frame, { bucket: 7, offset: 123_456_789_012n, timestamp: 1_763_683_200_123 })
  expect(readPosition(frame)).toEqual({ partition: 'dt=2026-11-21/größe=1', bucket: 0, offset: 0n, timestamp: 0 })
  expect(readPosition(patched)).toEqual({
    partition: 'dt=2026-11-21/größe=1',
    bucket: 7,
    offset: 123_456_789_012n,
    timestamp: 1_763_683_200_123,
  })
  expect(patched.length).toBe(frame.length)
  expect(rowsOf(decodeFrame(patched, fields))).toEqual(rowsOf(batch))
})

test('positions take the greatest values of the protocol', () => {
  const patched = patchFrame(encodeFrame(batch), { bucket: 1023, offset: 2n ** 63n - 1n, timestamp: 9_999_999_999_999 })
  expect(readPosition(patched)).toMatchObject({ bucket: 1023, offset: 2n ** 63n - 1n, timestamp: 9_999_999_999_999 })
})

test('another reader finds rows and metadata in our frames', () => {
  const frame = encodeFrame(batch, { partition: 'p=1', bucket: 3, offset: 40n, timestamp: 1_763_683_200_123 })
  const table = tableFromIPC(
    concat([encodeSchemaMessage(fields, { ids: true, metadata: { a: 'b' } }), frame, frame, endOfStream]),
  )
  expect(table.numRows).toBe(6)
  expect(table.schema.metadata.get('a')).toBe('b')
  expect(table.schema.fields[1]?.type.children[0]?.metadata.get('PARQUET:field_id')).toBe('0')
  expect([...(table.batches[0]?.metadata ?? [])]).toEqual([
    ['sluice.partition', 'p=1'],
    ['sluice.bucket', '0003'],
    ['sluice.offset', '0000000000000000040'],
    ['sluice.timestamp', '1763683200123'],
  ])
  expect(table.getChild('tags')?.get(0)?.toJSON()).toEqual(['a', null])
})

test('a scan walks frames and knows where each column lies', () => {
  const bytes = concat([encodeFrame(batch), encodeFrame(batch, { partition: 'x' })])
  const first = scanFrame(bytes, 0, fields)
  const second = scanFrame(bytes, first.end, fields)
  expect(second.end).toBe(bytes.length)
  expect(first.rows).toBe(3)
  expect(first.buffers).toHaveLength(2 + 2 + 3)
  expect(first.columnRanges).toEqual([
    { start: 0, end: 24 },
    { start: 24, end: first.bodyLength },
  ])
})

test('a cut frame begins at the offset of its first row', () => {
  const frame = encodeFrame(batch, { partition: 'p', bucket: 2, offset: 10n, timestamp: 5 })
  const cut = sliceFrame(frame, fields, 1, 3)
  expect(readPosition(cut)).toEqual({ partition: 'p', bucket: 2, offset: 11n, timestamp: 5 })
  expect(rowsOf(decodeFrame(cut, fields))).toEqual([
    [2n, null],
    [3n, []],
  ])
})

test('damage is an internal error', () => {
  const frame = encodeFrame(batch)
  expect(() => decodeFrame(frame.subarray(0, 100), fields)).toThrow(expect.objectContaining({ code: 'internal' }))
  expect(() => decodeFrame(frame, fields.slice(0, 1))).toThrow(expect.objectContaining({ code: 'internal' }))
  expect(() => readPosition(new Uint8Array(400))).toThrow(expect.objectContaining({ code: 'internal' }))
})
