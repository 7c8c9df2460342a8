/**
 * A conditional update whose outcome has to be definite: an ambiguous attempt is repeated unchanged, and a refusal is read for one's
 * own trace before it is believed.
 */
import { isSluiceError } from '../kernel/errors.ts'
import type { Item, Update } from '../ports/items.ts'
import type { World } from '../ports/world.ts'

const attemptsMax = 5

/** `isOurs`: does the item that refused us carry our own change? Then an earlier attempt of ours was the one that won. */
export async function decide<T>(
  world: World,
  update: Update,
  decode: (item: Item) => T,
  isOurs: (found: T) => boolean,
): Promise<T | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      const { done, item } = await world.items.update(update)
      const found = item === undefined ? undefined : decode(item)
      return found !== undefined && (done || isOurs(found)) ? found : undefined
    } catch (error) {
      if (!isSluiceError(error) || error.effect !== 'unknown' || error.code === 'internal' || attempt === attemptsMax) throw error
    }
  }
}
