/**
 * A conditional update whose outcome has to be definite: an ambiguous attempt is repeated unchanged, and a refusal is read for one's
 * own trace before it is believed.
 */
import { isSluiceError } from '../kernel/errors.ts'
import type { Item, ItemStore, Update } from './items.ts'

const attemptsMax = 5

export interface Decided<T> {
  readonly isDone: boolean
  /** As it is by then; undefined: there is none. */
  readonly found: T | undefined
  /** Of one that is not done: an attempt may have been, before others changed the item. */
  readonly isAmbiguous: boolean
}

/** `isOurs`: does the item that refused us carry our own change? Then an earlier attempt of ours was the one that won. */
export async function decideUpdate<T>(
  items: ItemStore,
  update: Update,
  decode: (item: Item) => T,
  isOurs: (found: T) => boolean,
): Promise<Decided<T>> {
  for (let attempt = 1; ; attempt++) {
    try {
      const result = await items.update(update)
      const found = result.item === undefined ? undefined : decode(result.item)
      const isAmbiguous = attempt > 1 || (!result.done && result.ambiguous === true)
      return { isDone: found !== undefined && (result.done || isOurs(found)), found, isAmbiguous }
    } catch (error) {
      if (!isSluiceError(error) || error.effect !== 'unknown' || error.code === 'internal' || attempt === attemptsMax) throw error
    }
  }
}

/** The item with the change; undefined where it was refused. */
export async function decide<T>(
  { items }: { readonly items: ItemStore },
  update: Update,
  decode: (item: Item) => T,
  isOurs: (found: T) => boolean,
): Promise<T | undefined> {
  const { isDone, found } = await decideUpdate(items, update, decode, isOurs)
  return isDone ? found : undefined
}
