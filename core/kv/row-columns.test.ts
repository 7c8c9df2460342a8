/** Column by column or row by row, a row has the same bytes. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { anyBatch } from '../format/arrow/batch.case.ts'
import { bytesOfSpan, type Span, spanOf } from '../kernel/bytes.ts'
import { isSluiceError } from '../kernel/errors.ts'
import { encodeRow } from './row.ts'
import { decodeColumns, encodeRows } from './row-columns.ts'
import { rowsOf } from './values.ts'

test('rows of any types have the bytes that they have one by one, and come back as the columns that they were', () => {
  fc.assert(
    fc.property(anyBatch, (batch) => {
      const types = batch.fields.map(({ type }) => type)
      const spans = encodeRows(batch.columns, batch.rows)
      const rows = rowsOf(batch)
      expect(spans.map((span) => Buffer.from(bytesOfSpan(span)))).toEqual(rows.map((row) => Buffer.from(encodeRow(types, row))))
      const columns = decodeColumns(types, spans)
      expect(rowsOf({ ...batch, columns })).toEqual(rows)
      expect(columns.map(({ nullCount }) => nullCount)).toEqual(batch.columns.map(({ nullCount }) => nullCount))
    }),
  )
})

test('of damaged rows only our own error comes, or columns', () => {
  fc.assert(
    fc.property(anyBatch, fc.nat(), fc.nat(255), fc.nat(40), (batch, place, value, cut) => {
      const types = batch.fields.map(({ type }) => type)
      const [first, ...others] = encodeRows(batch.columns, batch.rows)
      if (first === undefined) return
      const bytes = bytesOfSpan(first).slice(0, Math.max(0, first.end - first.start - cut))
      if (bytes.length > 0) bytes[place % bytes.length] = value
      const damaged: readonly Span[] = [spanOf(bytes), ...others]
      try {
        for (const { length } of decodeColumns(types, damaged)) expect(length).toBe(batch.rows)
      } catch (error) {
        if (!isSluiceError(error, 'internal')) throw error
      }
    }),
  )
})
