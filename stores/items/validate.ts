/**
 * What every ItemStore refuses before it acts, because DynamoDB refuses it or because two DynamoDB servers would read it
 * differently: bad keys and names, numbers past 38 digits, an empty update, an attribute named twice, an expression that
 * reads what it removes or two attributes that read each other. A refusal is a defect of the caller: `internal`, effect none.
 */
import { SluiceError } from '../../core/kernel/errors.ts'
import type { Condition, Item, ItemKey, ItemQuery, ItemValue, TransactAction, Update } from '../../core/ports/items.ts'
import { itemBytes, itemBytesMax, keyNames, textBytes } from './size.ts'

const partitionBytesMax = 2048
const sortBytesMax = 1024
const nameBytesMax = 255
const depthMax = 30
const numberMax = 10n ** 38n
const conditionsMax = 300
const removeLeadingMax = 100
export const queryLimitMax = 1_000
export const transactActionsMax = 100

export function checkKey(key: ItemKey): void {
  checkText(key.partition, 'partition key', partitionBytesMax)
  checkText(key.sort, 'sort key', sortBytesMax)
}

export function checkItem(item: Item): void {
  checkKey(item.key)
  for (const name in item.attributes) {
    checkName(name)
    checkValue(item.attributes[name] as ItemValue, name, 0)
  }
  checkSize(item)
}

export function checkSize(item: Item): void {
  const bytes = itemBytes(item)
  if (bytes > itemBytesMax) {
    const facts = { partition: item.key.partition, sort: item.key.sort, bytes, bytesMax: itemBytesMax }
    throw new SluiceError('too-large', `an item of ${bytes} bytes is over the limit of ${itemBytesMax}`, { facts })
  }
}

export function checkQuery(query: ItemQuery): void {
  checkText(query.partition, 'partition key', partitionBytesMax)
  for (const bound of [query.from, query.to])
    if (bound !== undefined && bound !== '') checkText(bound, 'sort key bound', sortBytesMax)
  if (!(Number.isInteger(query.limit) && query.limit >= 1 && query.limit <= queryLimitMax))
    throw refused(`a query limit of ${query.limit}`)
}

export function checkUpdate(update: Update): void {
  checkKey(update.key)
  const named = new Set<string>()
  const reads = new Map<string, string>()
  for (const [name, action] of Object.entries(update.set ?? {})) {
    claim(named, name)
    if ('plus' in action) {
      checkName(action.plus)
      checkValue(action.by, name, 0)
      if (action.plus !== name) reads.set(name, action.plus)
    } else if ('append' in action) checkValue(action.append, name, 0)
    else checkValue('value' in action ? action.value : action.ifAbsent, name, 0)
  }
  for (const name of update.remove ?? []) claim(named, name)
  if (update.removeLeading !== undefined) {
    const { list, count } = update.removeLeading
    claim(named, list)
    if (!(Number.isInteger(count) && count >= 1 && count <= removeLeadingMax)) throw refused(`removing ${count} leading elements`)
  }
  if (named.size === 0) throw refused('an update that changes nothing')
  checkReads(update, reads)
  if (update.condition !== undefined) checkCondition(update.condition)
}

export function checkCondition(condition: Condition): void {
  checkConditionWithin(condition, { left: conditionsMax })
}

export function checkTransact(actions: readonly TransactAction[]): void {
  if (actions.length < 1 || actions.length > transactActionsMax) throw refused(`a transaction of ${actions.length} actions`)
  const keys = new Set<string>()
  for (const action of actions) {
    const key = keyOf(action)
    if ('create' in action) checkItem(action.create)
    else if ('update' in action) checkUpdate(action.update)
    else checkKey(key)
    if ('check' in action) checkCondition(action.condition)
    if ('delete' in action && action.condition !== undefined) checkCondition(action.condition)
    const id = JSON.stringify([key.partition, key.sort])
    if (keys.has(id)) throw refused(`a transaction that names item ${id} twice`)
    keys.add(id)
  }
}

export function keyOf(action: TransactAction): ItemKey {
  if ('create' in action) return action.create.key
  if ('update' in action) return action.update.key
  return 'delete' in action ? action.delete : action.check
}

/** A server that applies SET actions one after another must see each old value: reads before writes, so no cycles. */
function checkReads(update: Update, reads: ReadonlyMap<string, string>): void {
  for (const [name, read] of reads) {
    if (update.remove?.includes(read) || update.removeLeading?.list === read)
      throw refused(`an update that reads ${read} and removes it`)
    const next = reads.get(read)
    if (next !== undefined) throw refused(`an update that sets ${name} from ${read} and ${read} from ${next}`)
  }
}

function checkConditionWithin(condition: Condition, budget: { left: number }): void {
  if (--budget.left < 0) throw refused(`a condition of more than ${conditionsMax} parts`)
  if ('all' in condition) {
    if (condition.all.length === 0) throw refused(`an empty '${condition.is}'`)
    for (const part of condition.all) checkConditionWithin(part, budget)
    return
  }
  const [attribute, field, more] = condition.path.split('.')
  checkName(attribute ?? '')
  if (field !== undefined) checkName(field)
  if (more !== undefined) throw refused(`path ${condition.path}: one level below an attribute is the deepest`)
  if ('value' in condition) checkValue(condition.value, condition.path, 0)
}

function checkValue(value: ItemValue, name: string, depth: number): void {
  if (depth > depthMax) throw refused(`attribute ${name} nested deeper than ${depthMax}`)
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw refused(`text with a lone surrogate in ${name}`)
  } else if (typeof value === 'bigint') {
    if (value >= numberMax || value <= -numberMax) throw refused(`a number of more than 38 digits in ${name}`)
  } else if (typeof value === 'boolean' || value instanceof Uint8Array) {
    return
  } else if (Array.isArray(value)) {
    for (const element of value as readonly ItemValue[]) checkValue(element, name, depth + 1)
  } else if (typeof value === 'object' && value !== null) {
    for (const [field, inner] of Object.entries(value)) {
      if (field === '' || !field.isWellFormed()) throw refused(`a map field ${JSON.stringify(field)} in ${name}`)
      checkValue(inner, name, depth + 1)
    }
  } else throw refused(`a value of type ${value === null ? 'null' : typeof value} in ${name}`)
}

function checkName(name: string): void {
  checkText(name, 'attribute name', nameBytesMax)
  if (name.includes('.')) throw refused(`attribute name ${name}: dots separate levels`)
  if (name === keyNames.partition || name === keyNames.sort) throw refused(`attribute name ${name}: it names the key`)
}

function claim(named: Set<string>, name: string): void {
  checkName(name)
  if (named.has(name)) throw refused(`an update that names ${name} twice`)
  named.add(name)
}

function checkText(text: string, what: string, bytesMax: number): void {
  if (typeof text !== 'string' || text === '' || !text.isWellFormed()) throw refused(`${what} ${JSON.stringify(text)}`)
  if (text.length * 3 > bytesMax && textBytes(text) > bytesMax) throw refused(`a ${what} of more than ${bytesMax} bytes`)
}

export function refused(what: string): SluiceError {
  return new SluiceError('internal', `the item store refuses ${what}`, { effect: 'none' })
}
