/** Item values ↔ DynamoDB's attribute values, exact: a bigint is an N in decimal, in both directions. */
import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import { SluiceError } from '../../core/kernel/errors.ts'
import type { Attributes, Item, ItemKey, ItemValue } from '../../core/ports/items.ts'
import { keyNames } from './size.ts'

export type Marshalled = Record<string, AttributeValue>

export function marshalKey(key: ItemKey): Marshalled {
  return { [keyNames.partition]: { S: key.partition }, [keyNames.sort]: { S: key.sort } }
}

export function marshalItem(item: Item): Marshalled {
  return { ...marshalFields(item.attributes), ...marshalKey(item.key) }
}

export function marshalValue(value: ItemValue): AttributeValue {
  if (typeof value === 'string') return { S: value }
  if (typeof value === 'bigint') return { N: value.toString() }
  if (typeof value === 'boolean') return { BOOL: value }
  if (value instanceof Uint8Array) return { B: value }
  if (Array.isArray(value)) return { L: (value as readonly ItemValue[]).map(marshalValue) }
  return { M: marshalFields(value as Readonly<Record<string, ItemValue>>) }
}

export function unmarshalItem(marshalled: Marshalled): Item {
  const { [keyNames.partition]: partition, [keyNames.sort]: sort, ...rest } = marshalled
  if (partition?.S === undefined || sort?.S === undefined) throw foreign('an item without our key')
  return { key: { partition: partition.S, sort: sort.S }, attributes: unmarshalFields(rest) }
}

function marshalFields(fields: Attributes): Marshalled {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, marshalValue(value)]))
}

function unmarshalFields(fields: Marshalled): Attributes {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, unmarshalValue(value)]))
}

function unmarshalValue(value: AttributeValue): ItemValue {
  if (value.S !== undefined) return value.S
  if (value.N !== undefined) return integerOf(value.N)
  if (value.BOOL !== undefined) return value.BOOL
  if (value.B !== undefined) return new Uint8Array(value.B)
  if (value.L !== undefined) return value.L.map(unmarshalValue)
  if (value.M !== undefined) return unmarshalFields(value.M)
  throw foreign(`a value of type ${Object.keys(value).join()}`)
}

/** Servers may write an integer as `1E+20` or `5.0`. */
function integerOf(text: string): bigint {
  const [, sign, whole, fraction = '', exponent = '0'] =
    /^([+-]?)(\d{1,38})(?:\.(\d{1,38}))?(?:[eE]\+?(\d{1,2}))?$/.exec(text) ?? []
  if (whole === undefined) throw foreign(`the number ${text}`)
  const shift = Number(exponent)
  const digits = whole + fraction.padEnd(shift, '0').slice(0, shift)
  if (/[1-9]/.test(fraction.slice(shift))) throw foreign(`the number ${text}`)
  return sign === '-' ? -BigInt(digits) : BigInt(digits)
}

function foreign(what: string): SluiceError {
  return new SluiceError('internal', `the table holds ${what}, which we never write`, { effect: 'none' })
}
