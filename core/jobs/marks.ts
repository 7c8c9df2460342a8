/**
 * Marks, so that nothing is forgotten and nothing is polled: whoever commits puts a mark before, whoever works drops only the
 * marks that it saw before it looked. A crash between the two leaves a mark too many, never one too few.
 */
import { type Due, encodeMark, markKey, markSort, newMark } from '../format/items/mark.ts'
import type { World } from '../ports/world.ts'

/** Resolves once the mark is durable. Returns its sort key. */
export async function putMark(world: World, due: Due): Promise<string> {
  const mark = newMark(world.random, due)
  await world.items.create(encodeMark(mark))
  return markSort(mark)
}

/** Absent ones are no error: another worker was here. */
export async function dropMarks(world: World, tableId: string, sorts: readonly string[]): Promise<void> {
  for (const sort of sorts) await world.items.delete(markKey(tableId, sort))
}
