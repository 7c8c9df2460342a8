/**
 * Column and nested field ids as Iceberg assigns fresh ones: all columns first, then, column by column, the fields inside.
 * They start at 4 (1 to 3 are __bucket, __offset, __timestamp) and are never reused.
 */
import type { Column, TableSpec } from './table.ts'
import type { DataType } from './types.ts'

export const firstColumnId = 4

/** `lastColumnId`: the greatest id given; the next schema change goes on from it. */
export function assignIds(
  spec: TableSpec,
  last = firstColumnId - 1,
): { readonly columns: readonly Column[]; readonly lastColumnId: number } {
  const counter = { last }
  const ids = spec.columns.map(() => ++counter.last)
  const columns = spec.columns.map(
    (column, i): Column => ({
      id: ids[i] ?? 0,
      name: column.name,
      type: numbered(column.type, counter),
      nullable: column.nullable,
      ...(column.comment === undefined ? {} : { comment: column.comment }),
    }),
  )
  return { columns, lastColumnId: counter.last }
}

function numbered(type: DataType, counter: { last: number }): DataType {
  switch (type.kind) {
    case 'array': {
      const elementId = ++counter.last
      return { ...type, elementId, element: numbered(type.element, counter) }
    }
    case 'map': {
      const keyId = ++counter.last
      const valueId = ++counter.last
      return { ...type, keyId, valueId, key: numbered(type.key, counter), value: numbered(type.value, counter) }
    }
    case 'row': {
      const ids = type.fields.map(() => ++counter.last)
      return {
        ...type,
        fields: type.fields.map((field, i) => ({ ...field, id: ids[i] ?? 0, type: numbered(field.type, counter) })),
      }
    }
    case 'vector':
      return { ...type, elementId: ++counter.last }
    default:
      return type
  }
}
