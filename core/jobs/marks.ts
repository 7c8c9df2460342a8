/**
 * Marks, so that nothing is forgotten and nothing is polled: whoever commits puts a mark before, whoever works drops only the
 * marks that it saw before it looked. A crash between the two leaves a mark too many, never one too few.
 */

import { encodeMark, type Mark, markKey, markSort } from '../format/items/mark.ts'
import { randomId } from '../kernel/ids.ts'
import type { Partition } from '../model/partition.ts'
import type { JobKind, TableName } from '../ports/queue.ts'
import type { World } from '../ports/world.ts'

export interface Due {
  readonly kind: JobKind
  readonly table: TableName
  readonly buckets: number
  readonly partition?: Pick<Partition, 'id' | 'name'>
  /** ms since 1970 */
  readonly due: number
}

/** Resolves once the mark is durable. Returns its sort key. */
export async function putMark(world: World, due: Due): Promise<string> {
  const mark: Mark = { ...due, random: randomId(world.random) }
  await world.items.create(encodeMark(mark))
  return markSort(mark)
}

/** Absent ones are no error: another worker was here. */
export async function dropMarks(world: World, tableId: string, sorts: readonly string[]): Promise<void> {
  for (const sort of sorts) await world.items.delete(markKey(tableId, sort))
}
