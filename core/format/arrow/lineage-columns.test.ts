import { tableFromIPC } from 'apache-arrow'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { concat } from '../../kernel/bytes.ts'
import { anyBatch, batchOf, fieldOf } from './batch.case.ts'
import type { Batch } from './column.ts'
import { encodeFrame } from './frame.ts'
import { joinStreams } from './join-streams.ts'
import { lineageFields, withLineage } from './lineage-columns.ts'
import { encodeSchemaMessage, endOfStream } from './schema.ts'

const streamOf = (batches: readonly Batch[], metadata = {}): Uint8Array =>
  concat([
    encodeSchemaMessage(batches[0]?.fields ?? [], { ids: true, metadata }),
    ...batches.map((batch) => encodeFrame(batch)),
    endOfStream,
  ])

const fields = [
  { ...fieldOf('n', { kind: 'bigint' }, false), id: 4 },
  { ...fieldOf('s', { kind: 'string' }), id: 5 },
]
const batch = (...values: readonly number[]): Batch =>
  batchOf(
    fields,
    values.map((value) => [BigInt(value), value % 2 === 0 ? null : `s${value}`]),
  )

test('each row takes its id and its sequence number along, over all batches of its file', () => {
  const stream = withLineage(streamOf([batch(1, 2), batch(), batch(3)], { owner: 'x' }), { firstRowId: 2n ** 53n, sequence: 7n })
  const table = tableFromIPC(stream)
  expect(table.schema.metadata.get('owner')).toBe('x')
  expect(table.schema.fields.map(({ name, metadata }) => [name, metadata.get('PARQUET:field_id')])).toEqual([
    ['n', '4'],
    ['s', '5'],
    ['_row_id', '2147483540'],
    ['_last_updated_sequence_number', '2147483539'],
  ])
  expect(table.toArray().map((row) => [row.n, row.s, row['_row_id'], row['_last_updated_sequence_number']])).toEqual([
    [1n, 's1', 2n ** 53n, 7n],
    [2n, null, 2n ** 53n + 1n, 7n],
    [3n, 's3', 2n ** 53n + 2n, 7n],
  ])
})

test('rows that have them keep them, and join with rows that got them now', () => {
  const old = withLineage(streamOf([batch(1)]), { firstRowId: 3n, sequence: 1n })
  expect(withLineage(old, { firstRowId: 99n, sequence: 99n })).toEqual(old)
  // The same columns in another writer's words.
  const rewritten = concat([
    encodeSchemaMessage([...fields, ...lineageFields], { ids: true }),
    ...[batch(5)].map(({ rows, columns }) =>
      encodeFrame({ rows, fields, columns: [...columns, ...batchOf(lineageFields, [[50n, 5n]]).columns] }),
    ),
    endOfStream,
  ])
  const { stream, streams } = joinStreams([old, rewritten, streamOf([batch(9)])], 1 << 20)
  expect(streams).toBe(2)
  expect(
    tableFromIPC(stream)
      .toArray()
      .map((row) => row['_row_id']),
  ).toEqual([3n, 50n])
})

test('columns of every type go over as they lie', () => {
  fc.assert(
    fc.property(anyBatch, (any) => {
      const columnsOf = (stream: Uint8Array): string[] => {
        const table = tableFromIPC(stream)
        return table.schema.fields.map((_, i) => String(table.getChildAt(i)))
      }
      const after = columnsOf(withLineage(streamOf([any]), { firstRowId: 0n, sequence: 1n }))
      expect(after.slice(0, -2)).toEqual(columnsOf(streamOf([any])))
    }),
    { numRuns: 50 },
  )
})
