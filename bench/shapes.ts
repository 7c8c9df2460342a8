/**
 * Tables whose rows are tiered: plain columns, the same over partitions, nested ones. Rows are those of bodies.ts with a column more or
 * three; the same arguments give the same rows.
 */
import {
  type Data,
  DateDay,
  Field,
  Float64,
  Int32,
  List,
  Map_,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Utf8,
  vectorFromArray,
} from 'apache-arrow'
import { arrowBatch, columns as plainColumns } from './bodies.ts'

export const shapes = ['plain', 'text', 'day', 'nested'] as const
/** `text`: partitions by a text of 20 values, in turns · `day`: by a date, 20 of them, one after another. */
export type Shape = (typeof shapes)[number]

export interface ShapeSpec {
  readonly columns: readonly { readonly name: string; readonly type: string; readonly nullable?: boolean }[]
  readonly partitionBy?: readonly string[]
  /** Of one produce body, at most 4 MiB. */
  readonly bodyRows: number
  /** Of Arrow, about, the three columns of a lake included. */
  readonly bytesPerRow: number
  /** Where a dictionary pays. */
  readonly dictionaryColumns: readonly string[]
}

const partitions = 20

export const shapeSpecs: Readonly<Record<Shape, ShapeSpec>> = {
  plain: { columns: plainColumns, bodyRows: 65_536, bytesPerRow: 60, dictionaryColumns: ['name'] },
  text: {
    columns: [...plainColumns, { name: 'kind', type: 'string' }],
    partitionBy: ['kind'],
    bodyRows: 65_536,
    bytesPerRow: 71,
    dictionaryColumns: ['name', 'kind'],
  },
  day: {
    columns: [...plainColumns, { name: 'day', type: 'date' }],
    partitionBy: ['day'],
    bodyRows: 65_536,
    bytesPerRow: 64,
    dictionaryColumns: ['name'],
  },
  nested: {
    columns: [
      ...plainColumns,
      { name: 'place', type: 'row<x double, y double>' },
      { name: 'tags', type: 'array<string>' },
      { name: 'counts', type: 'map<string,int>' },
    ],
    bodyRows: 24_576,
    bytesPerRow: 150,
    dictionaryColumns: ['name'],
  },
}

/** Rows [first, first + rows) of `total`. */
export function shapedBatch(shape: Shape, { rows, first, total }: { rows: number; first: number; total: number }): RecordBatch {
  const plain = arrowBatch(rows, first)
  const more = moreOf(shape, rows, first, total)
  const schema = new Schema([...plain.schema.fields, ...more.map(([name, { type }]) => new Field(name, type, true))])
  const children = [...plain.data.children, ...more.map(([, data]) => data)]
  return new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length: rows, nullCount: 0, children }))
}

function moreOf(shape: Shape, rows: number, first: number, total: number): readonly (readonly [string, Data])[] {
  switch (shape) {
    case 'plain':
      return []
    case 'text':
      return [['kind', textData(rows, (row) => `kind ${(first + row) % partitions}`)]]
    case 'day': {
      const days = Int32Array.from({ length: rows }, (_, row) => 20_778 + Math.floor(((first + row) * partitions) / total))
      return [['day', makeData({ type: new DateDay(), length: rows, nullCount: 0, data: days })]]
    }
    case 'nested':
      return [
        ['place', placeData(rows, first)],
        [
          'tags',
          listOf(
            rows,
            textData(2 * rows, (i) => `tag ${(first + i) % 1_000}`),
          ),
        ],
        ['counts', countsData(rows, first)],
      ]
  }
}

function textData(length: number, at: (row: number) => string): Data<Utf8> {
  const [data] = vectorFromArray(Array.from({ length }, (_, row) => at(row)), new Utf8()).data // biome-ignore format: one line
  if (data === undefined) throw new Error('there is no text')
  return data
}

function placeData(rows: number, first: number): Data {
  const doubles = (scale: number) => {
    const data = Float64Array.from({ length: rows }, (_, row) => (((first + row) * 7_919) % 360_000) / scale)
    return makeData({ type: new Float64(), length: rows, nullCount: 0, data })
  }
  const type = new Struct([new Field('x', new Float64(), true), new Field('y', new Float64(), true)])
  return makeData({ type, length: rows, nullCount: 0, children: [doubles(1_000), doubles(2_000)] })
}

/** Two elements a row. */
function listOf(rows: number, child: Data<Utf8>): Data {
  const type = new List(new Field('element', child.type, true))
  return makeData({ type, length: rows, nullCount: 0, valueOffsets: twos(rows), child })
}

function countsData(rows: number, first: number): Data {
  const keys = textData(2 * rows, (i) => (i % 2 === 0 ? 'seen' : 'sold'))
  const values = makeData({
    type: new Int32(),
    length: 2 * rows,
    nullCount: 0,
    data: Int32Array.from({ length: 2 * rows }, (_, i) => (first + i) % 10_000),
  })
  const entry = new Struct([new Field('key', keys.type, false), new Field('value', values.type, true)])
  const child = makeData({ type: entry, length: 2 * rows, nullCount: 0, children: [keys, values] as never })
  const type = new Map_(new Field('entries', entry as never, false))
  return makeData({ type, length: rows, nullCount: 0, valueOffsets: twos(rows), child: child as never }) as Data
}

const twos = (rows: number): Int32Array => Int32Array.from({ length: rows + 1 }, (_, row) => 2 * row)
