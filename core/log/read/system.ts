/** The system columns of rows as data, and what is known of them before a row is read. */
import type { ColumnData } from '../../format/arrow/column.ts'
import { bytesOf } from '../../format/arrow/layout.ts'
import type { ColumnBounds } from '../../format/arrow/prune.ts'
import { columnStatistics } from '../../format/arrow/statistics.ts'
import { utf8 } from '../../kernel/bytes.ts'
import { bucketColumn, offsetColumn, partitionColumn, systemColumns, timestampColumn } from '../../model/system-columns.ts'

/** Row i is at offset + i, or at that of the picked row. */
export interface RowsPlace {
  readonly partition: string
  readonly bucket: number
  readonly offset: bigint
  readonly timestamp: number
  readonly rows: number
  readonly picked?: { readonly base: bigint; readonly indices: Uint32Array }
}

interface Named {
  readonly id: number
}

export const isSystemColumn = ({ id }: Named): boolean => systemColumns.some((column) => column.id === id)

export function systemData(column: Named, place: RowsPlace): ColumnData {
  switch (column.id) {
    case offsetColumn.id:
      return fixed(offsetColumn, place.rows, offsetsOf(place))
    case timestampColumn.id:
      return fixed(timestampColumn, place.rows, new BigInt64Array(place.rows).fill(BigInt(Math.trunc(place.timestamp))))
    case bucketColumn.id:
      return fixed(bucketColumn, place.rows, new Int32Array(place.rows).fill(place.bucket))
    default:
      return repeatedText(place.partition, place.rows)
  }
}

/** Of rows at [offset, offset + rows), all committed at one time. */
export function systemBounds(column: Named, place: RowsPlace): ColumnBounds {
  const ends = place.rows > 1 ? [0, place.rows - 1] : [0]
  const { min, max } = columnStatistics(
    systemData(column, { ...place, rows: ends.length, picked: { base: place.offset, indices: Uint32Array.from(ends) } }),
  )
  return { rows: place.rows, nulls: 0, mayHaveNan: false, ...(min && { min }), ...(max && { max }) }
}

/** Of the rows of an entry, of which the last were committed at `timestamp`, the first perhaps before. */
export function entryBounds(column: Named, place: RowsPlace): ColumnBounds | undefined {
  if (!isSystemColumn(column)) return undefined
  const { min: _, ...bounds } = systemBounds(column, place)
  return column.id === timestampColumn.id ? bounds : systemBounds(column, place)
}

function offsetsOf({ offset, rows, picked }: RowsPlace): BigInt64Array {
  const offsets = new BigInt64Array(rows)
  for (let i = 0; i < rows; i++)
    offsets[i] = picked === undefined ? offset + BigInt(i) : picked.base + BigInt(picked.indices[i] as number)
  return offsets
}

const fixed = ({ type }: Pick<ColumnData, 'type'>, rows: number, values: ArrayBufferView): ColumnData => ({
  type,
  length: rows,
  nullCount: 0,
  validity: undefined,
  offsets: undefined,
  values: bytesOf(values),
  children: [],
})

function repeatedText(text: string, rows: number): ColumnData {
  const bytes = utf8(text)
  const values = new Uint8Array(bytes.length * rows)
  const offsets = new Int32Array(rows + 1)
  for (let i = 0; i < rows; i++) {
    values.set(bytes, i * bytes.length)
    offsets[i + 1] = (i + 1) * bytes.length
  }
  return {
    type: partitionColumn.type,
    length: rows,
    nullCount: 0,
    validity: undefined,
    offsets,
    values,
    children: [],
  }
}
