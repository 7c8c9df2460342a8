import { tableFromIPC } from 'apache-arrow'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { concat } from '../../kernel/bytes.ts'
import { anyBatch, batchOf, fieldOf, rowsOf } from './batch.case.ts'
import type { Field } from './column.ts'
import { buffersOf, decodeColumn, flatLayout, isFlat, nullBuffers, slicedBuffers } from './column-buffers.ts'
import { assembleFrame, decodeFrame, encodeFrame, patchedPieces, scanFrame } from './frame.ts'
import { metadataLength, readPosition } from './frame-metadata.ts'
import { bufferCount, nodeCount } from './layout.ts'
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

const patched = (...of: Parameters<typeof patchedPieces>): Uint8Array => concat(patchedPieces(...of))

test('positions are patched in place and read back', () => {
  const frame = encodeFrame(batch, { partition: 'dt=2026-11-21/größe=1' })
  const moved = patched(frame, { bucket: 7, offset: 123_456_789_012n, timestamp: 1_763_683_200_123 })
  expect(readPosition(frame)).toEqual({ partition: 'dt=2026-11-21/größe=1', bucket: 0, offset: 0n, timestamp: 0 })
  expect(readPosition(moved)).toEqual({
    partition: 'dt=2026-11-21/größe=1',
    bucket: 7,
    offset: 123_456_789_012n,
    timestamp: 1_763_683_200_123,
  })
  expect(moved.length).toBe(frame.length)
  expect(rowsOf(decodeFrame(moved, fields))).toEqual(rowsOf(batch))
})

test('frames that are alike in all but their position, and others between them, have metadata of their own', () => {
  const other = batchOf(fields, [[4n, ['c']]])
  const position = { partition: 'p', bucket: 7, offset: 9n, timestamp: 11 }
  const first = encodeFrame(batch, position)
  const [alike, less, elsewhere, again] = [
    encodeFrame(batch, { ...position, offset: 12n }),
    encodeFrame(other, position),
    encodeFrame(batch, { ...position, partition: 'q' }),
    encodeFrame(batch, position),
  ]
  expect([alike, less, elsewhere].map(readPosition)).toEqual([
    { ...position, offset: 12n },
    position,
    { ...position, partition: 'q' },
  ])
  expect([rowsOf(decodeFrame(alike, fields)), rowsOf(decodeFrame(less, fields))]).toEqual([rowsOf(batch), rowsOf(other)])
  expect([readPosition(first), again]).toEqual([position, first])
})

test('metadata lie in the room that is given for them, if they are as long', () => {
  const frame = encodeFrame(batch, { partition: 'p' })
  const { metadataBytes } = scanFrame(frame)
  const nodes = fields.reduce((count, { type }) => count + nodeCount(type), 0)
  const buffers = fields.reduce((count, { type }) => count + bufferCount(type), 0)
  expect(metadataLength('p', nodes, buffers)).toBe(metadataBytes)
  for (const bytes of [metadataBytes, metadataBytes - 8, metadataBytes + 8]) {
    const room = new Uint8Array(bytes).fill(255)
    const { pieces } = assembleFrame(batch.rows, batch.columns.map(buffersOf), { partition: 'p' }, room)
    expect([concat(pieces), pieces[0] === room]).toEqual([frame, bytes === metadataBytes])
  }
})

test('positions take the greatest values of the protocol', () => {
  const moved = patched(encodeFrame(batch), { bucket: 1023, offset: 2n ** 63n - 1n, timestamp: 9_999_999_999_999 })
  expect(readPosition(moved)).toMatchObject({ bucket: 1023, offset: 2n ** 63n - 1n, timestamp: 9_999_999_999_999 })
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

test('a scan knows where each column lies, without the body', () => {
  const frame = encodeFrame(batch, { partition: 'x' })
  const scanned = scanFrame(frame, fields)
  expect(scanned).toMatchObject({ rows: 3, bodyBytes: frame.length - scanned.metadataBytes })
  expect(scanned.columns.map(({ start, end, buffers }) => [start, end, buffers.length])).toEqual([
    [0, 24, 2],
    [24, scanned.bodyBytes, 2 + 3],
  ])
  expect(scanFrame(frame.subarray(0, scanned.metadataBytes), fields)).toEqual(scanned)
})

test('columns go from one frame into another as they lie', () => {
  fc.assert(
    fc.property(anyBatch, fc.nat(), (any, pick) => {
      const frame = encodeFrame(any)
      const { metadataBytes, columns } = scanFrame(frame, any.fields)
      const wanted = any.fields.map((_, i) => i).filter((i) => (pick >> (i % 30)) & 1)
      const taken = wanted.map((i) => {
        const column = columns[i] as (typeof columns)[number]
        const bytes = frame.subarray(metadataBytes + column.start, metadataBytes + column.end)
        const field = any.fields[i] as (typeof any.fields)[number]
        const layout = isFlat(field.type) ? flatLayout(field, any.rows, column.nodes[1] ?? 0, bytes) : column
        return slicedBuffers(layout, bytes)
      })
      const projected = { rows: any.rows, fields: wanted.map((i) => any.fields[i]), columns: wanted.map((i) => any.columns[i]) }
      const assembled = concat(assembleFrame(any.rows, taken).pieces)
      expect(assembled).toEqual(encodeFrame(projected as typeof any))
    }),
  )
})

test('a column that is missing is all null in every type', () => {
  fc.assert(
    fc.property(anyBatch, (any) => {
      const nulls = any.fields.map(({ type }) => nullBuffers(type, any.rows))
      const frame = concat(assembleFrame(any.rows, nulls).pieces)
      const back = decodeFrame(frame, any.fields)
      expect(rowsOf(back)).toEqual(rowsOf(any).map((row) => row.map(() => null)))
      const table = tableFromIPC(concat([encodeSchemaMessage(any.fields.map(nullable)), frame, endOfStream]))
      expect(table.numRows).toBe(any.rows)
      for (const [i, field] of any.fields.entries()) {
        expect(decodeColumn(field, any.rows, nulls[i] as (typeof nulls)[number]).nullCount).toBe(any.rows)
        if (any.rows > 0) expect(table.getChildAt(i)?.get(0)).toBeNull()
      }
    }),
  )
})

const nullable = (field: Field): Field => ({ ...field, nullable: true })

test('a frame is patched without copying its body', () => {
  const frame = encodeFrame(batch, { partition: 'p=1' })
  const position = { bucket: 7, offset: 9n, timestamp: 1 }
  const pieces = patchedPieces(frame, position)
  expect(readPosition(concat(pieces))).toEqual({ partition: 'p=1', ...position })
  expect(pieces[1]?.buffer).toBe(frame.buffer)
})

test('damage is an internal error', () => {
  const frame = encodeFrame(batch)
  expect(() => decodeFrame(frame.subarray(0, 100), fields)).toThrow(expect.objectContaining({ code: 'internal' }))
  expect(() => decodeFrame(frame, fields.slice(0, 1))).toThrow(expect.objectContaining({ code: 'internal' }))
  expect(() => readPosition(new Uint8Array(400))).toThrow(expect.objectContaining({ code: 'internal' }))
})
