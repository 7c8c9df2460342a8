/**
 * The schema that an external catalog answered with, field by field and as deep as it goes, before columns are planned on it: ids
 * are whole numbers of 32 bits, each once in the table; names are each once among their neighbours; a type is what the
 * specification has. A plan on ids that are twice would be noted in the table, and outlive the lie.
 */
import type { IcebergSchema } from '../iceberg/schema.ts'

const fieldsMax = 10_000
const depthMax = 100

/** Undefined: not understood. */
export function schemaOf(entry: Readonly<Record<string, unknown>> | undefined): IcebergSchema | undefined {
  return areFields(entry?.['fields'], new Set(), 1) ? (entry as unknown as IcebergSchema) : undefined
}

export const isId = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 31

/** `ids`: those of the table so far. */
function areFields(value: unknown, ids: Set<number>, depth: number): boolean {
  if (!Array.isArray(value) || value.length > fieldsMax) return false
  const names = new Set<unknown>()
  for (const field of value) {
    const { id, name, required, type } = recordOf(field)
    if (typeof name !== 'string' || names.has(name) || typeof required !== 'boolean') return false
    names.add(name)
    if (!isFreshId(id, ids) || !isType(type, ids, depth)) return false
  }
  return true
}

function isFreshId(id: unknown, ids: Set<number>): boolean {
  if (!isId(id) || ids.has(id)) return false
  ids.add(id)
  return true
}

function isType(value: unknown, ids: Set<number>, depth: number): boolean {
  if (typeof value === 'string') return true
  if (depth > depthMax) return false
  const type = recordOf(value)
  const isPart = (part: 'element' | 'key' | 'value'): boolean =>
    isFreshId(type[`${part}-id`], ids) && isType(type[part], ids, depth + 1)
  switch (type['type']) {
    case 'struct':
      return areFields(type['fields'], ids, depth + 1)
    case 'list':
      return isPart('element')
    case 'map':
      return isPart('key') && isPart('value')
    default:
      return false
  }
}

const recordOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
