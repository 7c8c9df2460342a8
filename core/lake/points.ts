/** How far a lake is, strongly read. A points object that has vanished was superseded and collected: the item names a newer one. */
import type { LakeItem } from '../format/items/lake.ts'
import type { Points } from '../format/items/points.ts'
import { isSluiceError } from '../kernel/errors.ts'
import type { World } from '../ports/world.ts'
import { readLakeItem } from './item.ts'
import { readPoints } from './objects.ts'

const readsMax = 3

/** Undefined: the table has no lake, or was dropped. */
export async function currentPoints(
  world: World,
  tableId: string,
): Promise<{ readonly lake: LakeItem; readonly points: Points } | undefined> {
  for (let attempt = 1; ; attempt++) {
    const lake = await readLakeItem(world.items, tableId)
    if (lake === undefined) return undefined
    try {
      return { lake, points: (await readPoints(world.objects, lake)).points }
    } catch (error) {
      if (attempt === readsMax || !isSluiceError(error, 'not-found')) throw error
    }
  }
}
