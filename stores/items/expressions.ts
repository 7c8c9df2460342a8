/**
 * Updates and conditions as DynamoDB expressions, written so that they mean the same to a server that applies actions one
 * after another to the new item (protocol.md section 1): an action that reads an attribute stands before the one that sets
 * it, list indices are removed in descending order, maps are set whole. All names and values are placeholders.
 */
import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import type { Condition, ItemValue, SetAction, Update } from '../../core/ports/items.ts'
import { marshalValue } from './marshal.ts'
import { keyNames } from './size.ts'

export class Expressions {
  readonly #names = new Map<string, string>()
  readonly #values: Record<string, AttributeValue> = {}
  #count = 0

  /** Never creates: the item must exist. */
  existing(condition: Condition | undefined): string {
    const exists = `attribute_exists(${this.name(keyNames.partition)})`
    return condition === undefined ? exists : `${exists} AND ${this.condition(condition)}`
  }

  condition(condition: Condition): string {
    if ('all' in condition)
      return `(${condition.all.map((part) => this.condition(part)).join(condition.is === 'and' ? ' AND ' : ' OR ')})`
    const path = condition.path
      .split('.')
      .map((name) => this.name(name))
      .join('.')
    switch (condition.is) {
      case 'equal':
        return `${path} = ${this.value(condition.value)}`
      case 'less':
        return `${path} < ${this.value(condition.value)}`
      case 'exists':
        return `attribute_exists(${path})`
      case 'absent':
        return `attribute_not_exists(${path})`
      case 'contains':
        return `contains(${path}, ${this.value(condition.value)})`
      case 'lacks':
        return `(NOT contains(${path}, ${this.value(condition.value)}))`
      case 'shorter':
        return `size(${path}) < ${this.value(condition.value)}`
    }
  }

  update({ set = {}, remove = [], removeLeading }: Update): string {
    const actions = readersFirst(Object.entries(set)).map(
      ([name, action]) => `${this.name(name)} = ${this.#operand(name, action)}`,
    )
    const removed = remove.map((name) => this.name(name))
    if (removeLeading !== undefined) {
      for (let i = removeLeading.count - 1; i >= 0; i--) removed.push(`${this.name(removeLeading.list)}[${i}]`)
    }
    const clauses = [
      actions.length > 0 ? `SET ${actions.join(', ')}` : '',
      removed.length > 0 ? `REMOVE ${removed.join(', ')}` : '',
    ]
    return clauses.join(' ').trim()
  }

  name(name: string): string {
    const known = this.#names.get(name)
    if (known !== undefined) return known
    const placeholder = `#n${this.#names.size}`
    this.#names.set(name, placeholder)
    return placeholder
  }

  value(value: ItemValue): string {
    const placeholder = `:v${this.#count++}`
    this.#values[placeholder] = marshalValue(value)
    return placeholder
  }

  /** For the request; DynamoDB refuses an empty map of values. */
  placeholders(): {
    ExpressionAttributeNames: Record<string, string>
    ExpressionAttributeValues?: Record<string, AttributeValue>
  } {
    const names = Object.fromEntries([...this.#names].map(([name, placeholder]) => [placeholder, name]))
    return this.#count === 0
      ? { ExpressionAttributeNames: names }
      : { ExpressionAttributeNames: names, ExpressionAttributeValues: this.#values }
  }

  #operand(name: string, action: SetAction): string {
    if ('value' in action) return this.value(action.value)
    if ('ifAbsent' in action) return `if_not_exists(${this.name(name)}, ${this.value(action.ifAbsent)})`
    if ('append' in action) return `list_append(${this.name(name)}, ${this.value(action.append)})`
    return `${this.name(action.plus)} + ${this.value(action.by)}`
  }
}

/** validate.ts refuses chains, so two groups are enough. */
function readersFirst(actions: readonly (readonly [string, SetAction])[]): readonly (readonly [string, SetAction])[] {
  const readsAnother = ([name, action]: readonly [string, SetAction]): boolean => 'plus' in action && action.plus !== name
  return [...actions.filter(readsAnother), ...actions.filter((action) => !readsAnother(action))]
}
