/** A transaction over old attributes, pure: all conditions first, then every change or none. */
import type { Attributes, ItemKey, TransactAction } from '../../core/ports/items.ts'
import { holds, updated } from './evaluate.ts'
import { checkSize, keyOf } from './validate.ts'

/** The attributes after the transaction; absent: the item is deleted. */
export interface Change {
  readonly key: ItemKey
  readonly attributes: Attributes | undefined
}

export type TransactPlan = { readonly failed: number } | { readonly changes: readonly Change[] }

/** The actions have passed checkTransact, so each names another item. */
export function planTransact(actions: readonly TransactAction[], oldOf: (key: ItemKey) => Attributes | undefined): TransactPlan {
  const olds = actions.map((action) => oldOf(keyOf(action)))
  const failed = actions.findIndex((action, i) => !allowed(action, olds[i]))
  if (failed >= 0) return { failed }
  return { changes: actions.flatMap((action, i) => changeOf(action, olds[i])) }
}

function allowed(action: TransactAction, old: Attributes | undefined): boolean {
  if ('create' in action) return old === undefined
  if ('update' in action)
    return old !== undefined && (action.update.condition === undefined || holds(action.update.condition, old))
  return action.condition === undefined || holds(action.condition, old)
}

function changeOf(action: TransactAction, old: Attributes | undefined): readonly Change[] {
  if ('check' in action) return []
  if ('delete' in action) return [{ key: action.delete, attributes: undefined }]
  const item = 'create' in action ? action.create : { key: action.update.key, attributes: updated(action.update, old ?? {}) }
  checkSize(item)
  return [item]
}
