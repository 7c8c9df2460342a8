/** The field ids that Parquet gave the columns of an Arrow stream, by their order; undefined where a column has none. */
import { type FlatTable, stringField, tableElement, vectorField } from './flatbuffer.ts'

export const fieldIdKey = 'PARQUET:field_id'

/** `schema`: Schema of Schema.fbs. */
export function fieldIds(schema: FlatTable): readonly (number | undefined)[] {
  const fields = vectorField(schema, 1, 4)
  return Array.from({ length: fields.length }, (_, i) => idOf(tableElement(fields, i)))
}

function idOf(field: FlatTable): number | undefined {
  const pairs = vectorField(field, 6, 4)
  for (let i = 0; i < pairs.length; i++) {
    const pair = tableElement(pairs, i)
    if (stringField(pair, 0) !== fieldIdKey) continue
    const id = Number(stringField(pair, 1))
    return Number.isSafeInteger(id) ? id : undefined
  }
  return undefined
}
