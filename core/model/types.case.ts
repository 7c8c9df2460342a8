/** Random column types for property tests: every kind, nested to a small depth, ids 0. */
import fc from 'fast-check'
import type { DataType } from './types.ts'

const simple = fc
  .constantFrom('boolean', 'tinyint', 'smallint', 'int', 'bigint', 'float', 'double', 'string', 'binary', 'date')
  .map((kind): DataType => ({ kind }) as DataType)
const time = fc
  .record({ kind: fc.constantFrom('time', 'timestamp', 'timestamp_ltz'), precision: fc.integer({ min: 0, max: 9 }) })
  .map((type): DataType => type as DataType)
const decimal = fc
  .integer({ min: 1, max: 38 })
  .chain((precision) => fc.integer({ min: 0, max: precision }).map((scale): DataType => ({ kind: 'decimal', precision, scale })))
const vector = fc.integer({ min: 1, max: 5 }).map((dimension): DataType => ({ kind: 'vector', dimension, elementId: 0 }))

/** Types without nested ones. */
export const scalarType: fc.Arbitrary<DataType> = fc.oneof(simple, time, decimal)

export const fieldName = fc
  .oneof(
    fc.string({ minLength: 1, maxLength: 6, unit: fc.constantFrom('a', 'B', '_', '0') }),
    fc.constantFrom('größe', 'a b', 'say "x"', '列', 'a.b'),
  )
  .map((name) => name.normalize('NFC'))
  .filter((name) => !name.startsWith('__'))

export const anyType: fc.Arbitrary<DataType> = fc.letrec<{ type: DataType }>((tie) => ({
  type: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { weight: 6, arbitrary: scalarType },
    { weight: 1, arbitrary: vector },
    { weight: 1, arbitrary: tie('type').map((element): DataType => ({ kind: 'array', element, elementId: 0 })) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(scalarType, tie('type'))
        .map(([key, value]): DataType => ({ kind: 'map', key, keyId: 0, value, valueId: 0 })),
    },
    {
      weight: 1,
      arbitrary: fc
        .uniqueArray(fc.tuple(fieldName, tie('type')), { minLength: 1, maxLength: 3, selector: ([name]) => name })
        .map((fields): DataType => ({ kind: 'row', fields: fields.map(([name, type]) => ({ id: 0, name, type })) })),
    },
  ),
})).type
