/** The system columns of rows as data, and what is known of them before a row is read. */
import type { ColumnData } from '../../format/arrow/column.ts'
import { bytesOf } from '../../format/arrow/layout.ts'
import type { ColumnBounds } from '../../format/arrow/prune.ts'
import { columnStatistics } from '../../format/arrow/statistics.ts'
import { utf8 } from '../../kernel/bytes.ts'
import { bucketColumn, offsetColumn, partitionColumn, systemColumns, timestampColumn } from '../../model/system-columns.ts'
import { repeated, steps } from './repeats.ts'

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

/** Memory of so many bytes, which whoever lends it may take back. */
export type Lend = (bytes: number) => ArrayBuffer

const ownMemory: Lend = (bytes) => new ArrayBuffer(bytes)

export function systemData(column: Named, place: RowsPlace, lend: Lend = ownMemory): ColumnData {
  switch (column.id) {
    case offsetColumn.id:
      return fixed(offsetColumn, place.rows, offsetsOf(place, lend))
    case timestampColumn.id:
      return fixed(timestampColumn, place.rows, new BigInt64Array(lend(8 * place.rows)).fill(BigInt(Math.trunc(place.timestamp))))
    case bucketColumn.id:
      return fixed(bucketColumn, place.rows, repeated(bytesOf(Int32Array.of(place.bucket)), place.rows))
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

/** As pairs of 32-bit words: a bigint a row takes ten times as long. */
function offsetsOf({ offset, rows, picked }: RowsPlace, lend: Lend): Int32Array {
  const base = picked?.base ?? offset
  const low = Number(base & 0xffffffffn)
  const high = Number(base >> 32n)
  const words = new Int32Array(lend(8 * rows))
  for (let i = 0; i < rows; i++) {
    const word = low + (picked === undefined ? i : (picked.indices[i] as number))
    words[2 * i] = word
    words[2 * i + 1] = word > 0xffffffff ? high + 1 : high
  }
  return words
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
  return {
    type: partitionColumn.type,
    length: rows,
    nullCount: 0,
    validity: undefined,
    offsets: steps(bytes.length, rows),
    values: repeated(bytes, rows),
    children: [],
  }
}
