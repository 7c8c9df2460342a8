/**
 * Conditions and updates over an item's old attributes, pure. The one reading of them that all embedded stores share and
 * that DynamoDB's must agree with (core/ports/items.case.ts): every right-hand side reads the old item, text compares by
 * its UTF-8 bytes, values of two types are neither equal nor less. The inputs have passed validate.ts.
 */
import { equalBytes } from '../../core/kernel/bytes.ts'
import type { Attributes, Condition, ItemValue, SetAction, Update } from '../../core/ports/items.ts'
import { refused } from './validate.ts'

export function holds(condition: Condition, old: Attributes | undefined): boolean {
  if ('all' in condition) {
    const part = (one: Condition): boolean => holds(one, old)
    return condition.is === 'and' ? condition.all.every(part) : condition.all.some(part)
  }
  const value = old === undefined ? undefined : valueAt(old, condition.path)
  switch (condition.is) {
    case 'exists':
      return value !== undefined
    case 'absent':
      return value === undefined
    case 'equal':
      return value !== undefined && equalValues(value, condition.value)
    case 'less':
      return value !== undefined && less(value, condition.value)
    case 'contains':
      return contains(value, condition.value)
    case 'lacks':
      return !contains(value, condition.value)
    case 'shorter':
      return isList(value) && BigInt(value.length) < condition.value
  }
}

/** The attributes after an update whose condition held. Throws where DynamoDB does: nothing to add or append to. */
export function updated(update: Update, old: Attributes): Attributes {
  const after: Record<string, ItemValue> = { ...old }
  for (const [name, action] of Object.entries(update.set ?? {})) {
    const value = setTo(name, action, old)
    if (value !== undefined) after[name] = value
  }
  for (const name of update.remove ?? []) delete after[name]
  if (update.removeLeading !== undefined) {
    const { list, count } = update.removeLeading
    after[list] = listOf(old, list, 'remove from').slice(count)
  }
  return after
}

/** As DynamoDB orders sort keys: by UTF-8 bytes, which UTF-16 order is not past U+FFFF. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0
  const n = Math.min(a.length, b.length)
  for (let i = 0; i < n; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return rank(x) - rank(y)
  }
  return a.length - b.length
}

export function equalValues(a: ItemValue, b: ItemValue): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object') return false
  if (a instanceof Uint8Array || b instanceof Uint8Array)
    return a instanceof Uint8Array && b instanceof Uint8Array && equalBytes(a, b)
  if (isList(a) || isList(b)) {
    return isList(a) && isList(b) && a.length === b.length && a.every((element, i) => equalValues(element, b[i] as ItemValue))
  }
  const names = Object.keys(a)
  if (names.length !== Object.keys(b).length) return false
  return names.every((name) => {
    const [left, right] = [fieldOf(a, name), fieldOf(b, name)]
    return left !== undefined && right !== undefined && equalValues(left, right)
  })
}

function setTo(name: string, action: SetAction, old: Attributes): ItemValue | undefined {
  if ('value' in action) return action.value
  if ('ifAbsent' in action) return fieldOf(old, name) === undefined ? action.ifAbsent : undefined
  if ('append' in action) return [...listOf(old, name, 'append to'), ...action.append]
  const base = fieldOf(old, action.plus)
  if (typeof base !== 'bigint') throw refused(`to add to ${action.plus}, which is no number in this item`)
  return base + action.by
}

function listOf(old: Attributes, name: string, verb: string): readonly ItemValue[] {
  const list = fieldOf(old, name)
  if (!isList(list)) throw refused(`to ${verb} ${name}, which is no list in this item`)
  return list
}

function valueAt(attributes: Attributes, path: string): ItemValue | undefined {
  const dot = path.indexOf('.')
  if (dot < 0) return fieldOf(attributes, path)
  const map = fieldOf(attributes, path.slice(0, dot))
  if (map === undefined || typeof map !== 'object' || map instanceof Uint8Array || isList(map)) return undefined
  return fieldOf(map, path.slice(dot + 1))
}

/** Own fields only: an attribute may be named `constructor`. */
function fieldOf(map: Readonly<Record<string, ItemValue>>, name: string): ItemValue | undefined {
  return Object.hasOwn(map, name) ? map[name] : undefined
}

function less(value: ItemValue, bound: string | bigint): boolean {
  if (typeof value === 'bigint' && typeof bound === 'bigint') return value < bound
  return typeof value === 'string' && typeof bound === 'string' && compareText(value, bound) < 0
}

function contains(value: ItemValue | undefined, element: ItemValue): boolean {
  return isList(value) && value.some((one) => equalValues(one, element))
}

function isList(value: ItemValue | undefined): value is readonly ItemValue[] {
  return Array.isArray(value)
}

/** Surrogates stand for code points above every other unit. */
const rank = (unit: number): number => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit)
