/** A schema that was superseded: partition `s/<tableId>`, sort the schema id in 6 digits. d the columns as JSON, versioned. Immutable. */
import { assert } from '../../kernel/assert.ts'
import type { Schema } from '../../model/table.ts'
import type { Item, ItemKey } from '../../ports/items.ts'

export const schemasOf = (tableId: string): string => `s/${tableId}`
export const schemaKey = (tableId: string, schemaId: number): ItemKey => ({
  partition: schemasOf(tableId),
  sort: schemaId.toString().padStart(6, '0'),
})

export const encodeSchema = (tableId: string, { schemaId, columns }: Schema): Item => ({
  key: schemaKey(tableId, schemaId),
  attributes: { d: JSON.stringify({ version: 1, columns }) },
})

export function decodeSchema(item: Item): Schema {
  const { d } = item.attributes
  assert(typeof d === 'string', 'a schema item is whole', { key: item.key })
  const { version, columns } = JSON.parse(d) as { readonly version: number; readonly columns: Schema['columns'] }
  assert(version === 1, 'a schema item has a known version', { key: item.key, version })
  return { schemaId: Number(item.key.sort), columns }
}
