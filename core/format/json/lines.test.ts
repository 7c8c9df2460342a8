import { expect, test } from 'vitest'
import type { Field } from '../arrow/column.ts'
import { decodeRows } from './decode.ts'
import { encodeRows } from './encode.ts'
import { linesOf, takeLines } from './lines.ts'

const text = (pieces: readonly Uint8Array[]) => Buffer.concat(pieces).toString()

const fields = (count: number, name: string): Field[] =>
  Array.from({ length: count }, (_, i) => ({ name: `${name}${i}`, type: { kind: 'int' }, nullable: true, id: i + 1 }))

function batchesOf(columns: readonly Field[], rows: readonly object[]) {
  return decodeRows(Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join('')), columns, 'ndjson')
}

test('lines in slices are the lines of the whole, with the offsets and operations that rows have there', () => {
  const [batch] = batchesOf(
    fields(1, 'n'),
    Array.from({ length: 5_000 }, (_, n0) => ({ n0 })),
  )
  if (batch === undefined) throw new Error('a batch')
  const ops = Int8Array.from({ length: 5_000 }, (_, i) => i % 5)
  const indices = Uint32Array.from({ length: 5_000 }, (_, i) => 3 * i)
  for (const position of [
    { offset: 7n, timestamp: 0 },
    { offset: 7n, timestamp: 0, ops, partition: 'p', bucket: 3 },
    { offset: 7n, timestamp: 0, picked: { base: 7n, indices } },
  ]) {
    const slices = [...linesOf([{ batch, position }])]
    expect(slices.length).toBeGreaterThan(2)
    expect(text(slices.map(({ bytes }) => bytes))).toBe(text([encodeRows(batch, position, 'ndjson')]))
    expect(slices.reduce((sum, { rows }) => sum + rows, 0)).toBe(5_000)
  }
})

test('rows without values under long names take no more at once than a slice, however many they are', () => {
  const batches = batchesOf(
    fields(1_000, 'n'.repeat(190)),
    Array.from({ length: 300 }, () => ({})),
  )
  let largest = 0
  for (const { bytes } of linesOf(batches.map((batch) => ({ batch })))) largest = Math.max(largest, bytes.length)
  expect(largest).toBeLessThan(2 * 2 ** 20)
  const { pieces, rows } = takeLines(linesOf(batches.map((batch) => ({ batch }))), 2 ** 20)
  expect(rows).toBe(text(pieces).split('\n').length - 1)
  expect(text(pieces).length).toBeLessThanOrEqual(2 ** 20)
})

test('one line comes whatever it has', () => {
  const [batch] = batchesOf(fields(1, 'n'), [{ n0: 1 }, { n0: 2 }])
  if (batch === undefined) throw new Error('a batch')
  expect(text(takeLines(linesOf([{ batch }]), 0).pieces)).toBe('{"n0":1}\n')
  expect(text(takeLines(linesOf([{ batch }]), 17).pieces)).toBe('{"n0":1}\n')
  expect(text(takeLines(linesOf([{ batch }]), 18).pieces)).toBe('{"n0":1}\n{"n0":2}\n')
})
