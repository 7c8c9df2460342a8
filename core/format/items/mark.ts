/**
 * A mark: work that is due for a table at a time. Partition `due#<shard>`, sort `<due ms, 13 digits>#<kind>#<tableId>#<random>`;
 * each putter makes its own, so that a worker deletes only marks that it saw. d database · t table · n buckets · p, q id and name
 * of the partition, where the work is of one.
 */
import { assert } from '../../kernel/assert.ts'
import { randomId } from '../../kernel/ids.ts'
import type { Random } from '../../kernel/random.ts'
import type { Partition } from '../../model/partition.ts'
import type { Attributes, Item, ItemKey } from '../../ports/items.ts'
import { isJobKind, type JobKind, type TableName } from '../../ports/queue.ts'

export const dueShards = 4
export const duePartition = (shard: number): string => `due#${shard}`

/** What is due, and when. */
export interface Due {
  readonly kind: JobKind
  readonly table: TableName
  readonly buckets: number
  readonly partition?: Pick<Partition, 'id' | 'name'>
  /** ms since 1970 */
  readonly due: number
}

export interface Mark extends Due {
  readonly random: string
}

export const newMark = (random: Random, due: Due): Mark => ({ ...due, random: randomId(random) })

export const markSort = (mark: Mark): string => `${dueText(mark.due)}#${mark.kind}#${mark.table.tableId}#${mark.random}`
export const dueText = (ms: number): string => Math.max(0, Math.floor(ms)).toString().padStart(13, '0')

export const markKey = (tableId: string, sort: string): ItemKey => ({
  partition: duePartition(Number.parseInt(tableId.slice(-2), 16) % dueShards),
  sort,
})

export function encodeMark(mark: Mark): Item {
  const { database, table, tableId } = mark.table
  return {
    key: markKey(tableId, markSort(mark)),
    attributes: { d: database, t: table, n: BigInt(mark.buckets), ...partitionOf(mark) },
  }
}

export function decodeMark(item: Item): Mark {
  const [due, kind, tableId, random] = item.key.sort.split('#')
  const { d, t, n, p, q } = item.attributes
  assert(
    due !== undefined && tableId !== undefined && random !== undefined && isJobKind(kind),
    'a mark has a sort key of its form',
    { key: item.key },
  )
  assert(typeof d === 'string' && typeof t === 'string' && typeof n === 'bigint', 'a mark is whole', { key: item.key })
  const partition = typeof p === 'string' && typeof q === 'string' ? { partition: { id: p, name: q } } : {}
  return { kind, table: { database: d, table: t, tableId }, buckets: Number(n), ...partition, due: Number(due), random }
}

const partitionOf = ({ partition }: Mark): Attributes => (partition === undefined ? {} : { p: partition.id, q: partition.name })
