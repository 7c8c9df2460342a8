/**
 * How frames that were written under one schema become rows of the table as it is now: columns are found by id, missing ones are
 * null, narrower ones are widened. Pure.
 */
import type { Batch, ColumnData, Field } from '../../format/arrow/column.ts'
import { buffersOf, type ColumnBuffers, decodeColumn, nullBuffers } from '../../format/arrow/column-buffers.ts'
import type { ColumnBounds } from '../../format/arrow/prune.ts'
import { widenBound, widenColumn } from '../../format/arrow/widen.ts'
import type { BlockFrame } from '../../format/segment/block.ts'
import { present } from '../../kernel/assert.ts'
import type { Schema } from '../../model/table.ts'
import { printType } from '../../model/type-text.ts'

/** Where a wanted column lies in a frame; undefined: nowhere. */
export interface Source {
  readonly wanted: Field
  readonly stored: { readonly index: number; readonly field: Field; readonly isNarrower: boolean } | undefined
}

export function sourceOf(schema: Schema, wanted: Field): Source {
  const index = schema.columns.findIndex(({ id }) => id === wanted.id)
  const field = schema.columns[index]
  if (field === undefined) return { wanted, stored: undefined }
  return { wanted, stored: { index, field, isNarrower: printType(field.type) !== printType(wanted.type) } }
}

/** Whether the sources are all of a frame's columns as they lie. */
export function isWhole(schema: Schema, sources: readonly Source[]): boolean {
  return (
    sources.length === schema.columns.length &&
    sources.every(({ stored }, i) => stored !== undefined && stored.index === i && !stored.isNarrower)
  )
}

/** `stored`: the column's buffers in the frame, if it lies there. */
export function conformBuffers(
  { wanted, stored: source }: Source,
  rows: number,
  stored: ColumnBuffers | undefined,
): ColumnBuffers {
  if (source === undefined) return nullBuffers(wanted.type, rows)
  const buffers = present(stored, 'the buffers of a stored column')
  if (!source.isNarrower) return buffers
  return buffersOf(widenColumn(decodeColumn(source.field, rows, buffers), wanted.type))
}

export const decodeBuffers = (fields: readonly Field[], rows: number, columns: readonly ColumnBuffers[]): Batch => ({
  rows,
  fields,
  columns: fields.map((field, i): ColumnData => decodeColumn(field, rows, present(columns[i], 'the buffers of a column'))),
})

/** What the frame's header says of a column, in the table's type. */
export function boundsOf({ wanted, stored }: Source, { rows, columns }: BlockFrame): ColumnBounds {
  if (stored === undefined) return { rows, nulls: rows, mayHaveNan: false }
  const { nulls, min, max, mayHaveNan } = present(columns[stored.index], 'a column of a frame')
  const bound = (value: Uint8Array): Uint8Array => (stored.isNarrower ? widenBound(value, stored.field.type, wanted.type) : value)
  return {
    rows,
    nulls,
    mayHaveNan,
    ...(min === undefined ? {} : { min: bound(min) }),
    ...(max === undefined ? {} : { max: bound(max) }),
  }
}
