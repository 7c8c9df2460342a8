import fc from 'fast-check'
import { expect, test } from 'vitest'
import { anyBatch, batchOf } from '../format/arrow/batch.case.ts'
import { isSluiceError } from '../kernel/errors.ts'
import { decodeRow, encodeRow } from './row.ts'
import { rowsOf } from './values.ts'

test('rows of any types come back from their bytes', () => {
  fc.assert(
    fc.property(anyBatch, (batch) => {
      const types = batch.fields.map(({ type }) => type)
      for (const row of rowsOf(batch)) expect(decodeRow(types, encodeRow(types, row))).toEqual(row)
    }),
  )
})

test('of damaged bytes only our own error comes, and no more memory than they have', () => {
  const fields = [
    { name: 'a', type: { kind: 'array', element: { kind: 'string' }, elementId: 0 }, nullable: true, id: 0 },
    { name: 'b', type: { kind: 'bigint' }, nullable: true, id: 0 },
  ] as const
  const types = fields.map(({ type }) => type)
  const [row = []] = rowsOf(batchOf(fields, [[['x', null, 'yz'], 5n]]))
  const bytes = encodeRow(types, row)
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.nat(bytes.length), (place, value, length) => {
      const damaged = bytes.slice(0, length)
      if (place < damaged.length) damaged[place] = value
      try {
        decodeRow(types, damaged)
      } catch (error) {
        expect(isSluiceError(error, 'internal')).toBe(true)
      }
    }),
  )
})
