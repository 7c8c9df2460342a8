import fc from 'fast-check'
import { expect, test } from 'vitest'
import { anyBatch, batchOf, fieldOf, rowsOf } from './batch.case.ts'
import { decodeFrame, encodeFrame } from './frame.ts'
import { batchBytes, concatBatches, gatherBatch, sliceBatch, splitBatch } from './take.ts'

const cut = fc.tuple(anyBatch, fc.nat(), fc.nat()).map(([batch, a, b]) => {
  const start = a % (batch.rows + 1)
  return { batch, start, end: start + (b % (batch.rows - start + 1)) }
})

test('a slice has the rows of its range', () => {
  fc.assert(
    fc.property(cut, ({ batch, start, end }) => {
      expect(rowsOf(sliceBatch(batch, start, end))).toEqual(rowsOf(batch).slice(start, end))
    }),
  )
})

test('a slice of a slice is a slice', () => {
  fc.assert(
    fc.property(cut, ({ batch, start, end }) => {
      const part = sliceBatch(batch, start, end)
      const middle = part.rows >> 1
      expect(rowsOf(sliceBatch(part, middle, part.rows))).toEqual(rowsOf(batch).slice(start + middle, end))
    }),
  )
})

test('gathered rows are those of the indices', () => {
  fc.assert(
    fc.property(anyBatch, fc.array(fc.nat(), { maxLength: 30 }), (batch, picks) => {
      const indices = Uint32Array.from(batch.rows === 0 ? [] : picks.map((pick) => pick % batch.rows))
      const rows = rowsOf(batch)
      expect(rowsOf(gatherBatch(batch, indices))).toEqual([...indices].map((i) => rows[i]))
    }),
  )
})

test('parts concatenated are the whole', () => {
  fc.assert(
    fc.property(cut, ({ batch, start, end }) => {
      const parts = [sliceBatch(batch, 0, start), sliceBatch(batch, start, end), sliceBatch(batch, end, batch.rows)]
      expect(rowsOf(concatBatches(parts))).toEqual(rowsOf(batch))
    }),
  )
})

test('splitting keeps rows and order and stays below the bound', () => {
  fc.assert(
    fc.property(anyBatch, fc.integer({ min: 1, max: 400 }), (batch, bytesMax) => {
      const parts = splitBatch(batch, bytesMax)
      for (const part of parts) expect(part.rows === 1 || batchBytes(part) <= bytesMax).toBe(true)
      expect(parts.flatMap(rowsOf)).toEqual(rowsOf(batch))
    }),
  )
})

test('a batch has the bytes that its frame has', () => {
  fc.assert(
    fc.property(cut, ({ batch, start, end }) => {
      const part = sliceBatch(batch, start, end)
      const frame = encodeFrame(part)
      const metadataLength = new DataView(frame.buffer).getInt32(4, true)
      expect(batchBytes(part)).toBe(frame.length - 8 - metadataLength)
      expect(rowsOf(decodeFrame(frame, batch.fields))).toEqual(rowsOf(part))
    }),
  )
})

test('columns decoded from an unaligned place are the same', () => {
  const fields = [fieldOf('a', { kind: 'string' }), fieldOf('b', { kind: 'bigint' })]
  const batch = batchOf(fields, [
    ['x', 1n],
    [null, 2n],
    ['yz', null],
  ])
  const frame = encodeFrame(batch)
  const shifted = new Uint8Array(frame.length + 1)
  shifted.set(frame, 1)
  const back = decodeFrame(shifted.subarray(1), fields)
  expect(rowsOf(gatherBatch(back, Uint32Array.of(2, 0, 1)))).toEqual([
    ['yz', null],
    ['x', 1n],
    [null, 2n],
  ])
})
