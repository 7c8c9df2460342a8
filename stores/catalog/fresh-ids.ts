/** What a catalog makes of a new table's schema: ids of its own, columns first, then what is nested in them; pure. */
export type JsonObject = { readonly [key: string]: unknown }

export interface FreshTable {
  readonly schema: JsonObject
  readonly spec: { readonly fields: readonly JsonObject[] }
  readonly order: { readonly fields: readonly JsonObject[] }
  readonly lastColumnId: number
  readonly lastPartitionId: number
}

/** `request`: a "CreateTableRequest". */
export function freshIds(request: JsonObject): FreshTable {
  const fresh = new Map<number, number>()
  let last = 0
  const idOf = (old: unknown): number => {
    fresh.set(old as number, ++last)
    return last
  }
  const fieldsOf = (fields: readonly JsonObject[]): JsonObject[] =>
    fields
      .map((field) => ({ ...field, id: idOf(field['id']) }))
      .map((field: JsonObject) => ({ ...field, type: typeOf(field['type']) }))
  const typeOf = (type: unknown): unknown => {
    if (typeof type === 'string') return type
    const nested = type as JsonObject
    if (nested['type'] === 'struct') return { ...nested, fields: fieldsOf(nested['fields'] as readonly JsonObject[]) }
    if (nested['type'] === 'list') {
      return { ...nested, 'element-id': idOf(nested['element-id']), element: typeOf(nested['element']) }
    }
    const ids = { 'key-id': idOf(nested['key-id']), 'value-id': idOf(nested['value-id']) }
    return { ...nested, ...ids, key: typeOf(nested['key']), value: typeOf(nested['value']) }
  }
  const schema = request['schema'] as JsonObject
  const fields = fieldsOf(schema['fields'] as readonly JsonObject[])
  const sourced = (of: unknown): JsonObject[] =>
    (((of as JsonObject | undefined)?.['fields'] ?? []) as readonly JsonObject[]).map((field) => ({
      ...field,
      'source-id': fresh.get(field['source-id'] as number),
    }))
  const partitions = sourced(request['partition-spec']).map((field, i) => ({ ...field, 'field-id': 1000 + i }))
  return {
    schema: { ...schema, fields },
    spec: { fields: partitions },
    order: { fields: sourced(request['write-order']) },
    lastColumnId: last,
    lastPartitionId: 999 + partitions.length,
  }
}
