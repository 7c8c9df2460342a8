/**
 * An item's size as DynamoDB counts it (Developer Guide, "Item sizes and formats"): names and text in UTF-8, a number
 * about half a byte a digit plus one, a list or map 3 bytes plus one an element. Limits and prices are computed from it.
 */
import type { Attributes, Item, ItemValue } from '../../core/ports/items.ts'

export const itemBytesMax = 400 * 1024
/** The names of the key attributes in every DynamoDB table of ours. */
export const keyNames = { partition: 'pk', sort: 'sk' } as const

export function itemBytes(item: Item): number {
  return 4 + textBytes(item.key.partition) + textBytes(item.key.sort) + attributesBytes(item.attributes)
}

export function attributesBytes(attributes: Attributes): number {
  let bytes = 0
  for (const name in attributes) bytes += textBytes(name) + valueBytes(attributes[name] as ItemValue)
  return bytes
}

export function valueBytes(value: ItemValue): number {
  if (typeof value === 'string') return textBytes(value)
  if (typeof value === 'bigint') return numberBytes(value)
  if (typeof value === 'boolean') return 1
  if (value instanceof Uint8Array) return value.length
  let bytes = 3
  if (Array.isArray(value)) for (const element of value as readonly ItemValue[]) bytes += 1 + valueBytes(element)
  else for (const [name, field] of Object.entries(value)) bytes += 1 + textBytes(name) + valueBytes(field)
  return bytes
}

function numberBytes(value: bigint): number {
  if (value === 0n) return 1
  const digits = value.toString().replace('-', '').replace(/0+$/, '').length
  return Math.ceil(digits / 2) + (value < 0n ? 2 : 1)
}

export const textBytes = (text: string): number => Buffer.byteLength(text)
