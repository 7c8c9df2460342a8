/** Sizes of single rows, so that none is larger than a frame may be. Costs nothing for batches that are smaller as a whole. */
import { SluiceError } from '../../kernel/errors.ts'
import { quoted } from '../../model/nearest.ts'
import type { Batch, ColumnData } from './column.ts'
import { widthOf } from './layout.ts'
import { batchBytes } from './take.ts'

/** `firstRow`: rows of the request before this batch, for the message. */
export function checkRowBytes(batch: Batch, rowBytesMax: number, firstRow = 0): void {
  if (batchBytes(batch) <= rowBytesMax) return
  const sizes = new Float64Array(batch.rows)
  for (const column of batch.columns) addSizes(column, sizes)
  for (let row = 0; row < sizes.length; row++) {
    if ((sizes[row] as number) <= rowBytesMax) continue
    const column = largestColumn(batch, row)
    throw new SluiceError(
      'invalid-rows',
      `row ${firstRow + row} takes ${sizes[row]} bytes; a row is at most ${rowBytesMax}: its largest value is of column ${quoted(column)}`,
      { facts: { row: firstRow + row, rowBytesMax, column: column.slice(0, 256) } },
    )
  }
}

function largestColumn({ rows, fields, columns }: Batch, row: number): string {
  const bytes = columns.map((column) => {
    const sizes = new Float64Array(rows)
    addSizes(column, sizes)
    return sizes[row] as number
  })
  return fields[bytes.indexOf(Math.max(...bytes))]?.name ?? ''
}

/** Adds to each row the bytes of its values in this column. */
function addSizes(column: ColumnData, sizes: Float64Array): void {
  const { type, offsets, children, length } = column
  if (type.kind === 'row') {
    for (const child of children) addSizes(child, sizes)
    return
  }
  if (offsets === undefined) {
    const bytes = type.kind === 'vector' ? 4 * type.dimension : type.kind === 'boolean' ? 1 : widthOf(type)
    for (let row = 0; row < length; row++) sizes[row] = (sizes[row] as number) + bytes
    return
  }
  const before = children.length === 0 ? undefined : sumsBefore(children)
  for (let row = 0; row < length; row++) {
    const start = offsets[row] as number
    const end = offsets[row + 1] as number
    sizes[row] =
      (sizes[row] as number) + 4 + (before === undefined ? end - start : (before[end] as number) - (before[start] as number))
  }
}

/** Bytes of all elements before each. */
function sumsBefore(children: readonly ColumnData[]): Float64Array {
  const length = children[0]?.length ?? 0
  const sizes = new Float64Array(length)
  for (const child of children) addSizes(child, sizes)
  const sums = new Float64Array(length + 1)
  for (let i = 0; i < length; i++) sums[i + 1] = (sums[i] as number) + (sizes[i] as number)
  return sums
}
