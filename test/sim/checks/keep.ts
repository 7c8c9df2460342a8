/**
 * Housekeeping, judged at the moment of each write: a start rises only to a boundary, over rows that are old and, with a lake, in
 * it; what left is kept for the checks at the end. An index item changes its objects alone, and is deleted only below the start.
 */
import type { Head } from '../../../core/format/items/head.ts'
import { headKey } from '../../../core/format/items/head.ts'
import { decodeIndexItem, indexSorts } from '../../../core/format/items/index-item.ts'
import { lakeItemKey } from '../../../core/format/items/lake.ts'
import { present } from '../../../core/kernel/assert.ts'
import type { Schema } from '../../../core/model/table.ts'
import type { Attributes, ItemKey } from '../../../core/ports/items.ts'
import type { History, Retired } from '../history.ts'
import type { Stores } from '../product.ts'
import { entryRows, headOf, readFrom } from '../reader.ts'
import { readExternal } from './external.ts'
import { readLake } from './lake.ts'

export interface KeepRules {
  /** The lake is in a catalog that is not ours. */
  readonly external: boolean
  /** ms since 1970, of no process. */
  readonly now: () => number
  readonly schema: Schema
  readonly logTtlMs: number
  readonly logTtlAfterTierMs?: number
}

/** The clocks of the committer and of the worker, each off by 150 s at most. */
const skewMs = 300_000

export function watchStart(history: History, stores: Stores, rules: KeepRules, key: ItemKey, old: Head, head: Head): void {
  if (head.start === old.start) return
  const { tableId, bucket } = present(placeOf(key), 'a bucket of a table without partitions')
  const name = `${tableId}#${bucket}`
  const where = `the start of ${name} goes from ${old.start} to ${head.start}`
  if (head.start < old.start) return history.break('G5', 'monotonic', where)
  const log = readFrom(stores, tableId, bucket, old, rules.schema)
  for (const problem of log.problems) history.break('G1', 'retain', `${where}: ${problem}`)
  if (!log.boundaries.has(head.start)) history.break('G4', 'retain', `${where}, inside a batch`)
  const count = Number(head.start - old.start)
  const newest = Math.max(...log.times.slice(0, count))
  // That they are in the lake then is asked below.
  if (newest >= rules.now() - Math.min(rules.logTtlMs, rules.logTtlAfterTierMs ?? rules.logTtlMs) + skewMs)
    history.break('G1', 'retain', `${where}: its rows are ${rules.now() - newest} ms old`)
  if (stores.items.get(lakeItemKey(tableId), 'plain') !== undefined) {
    const lake = rules.external ? readExternal(stores) : readLake(stores, tableId)
    const point = lake?.points.get('')?.get(bucket)?.offset ?? 0n
    if (head.start > point) history.break('G8', 'retain', `${where}, past the tier point ${point}`)
  }
  const retired = history.retired.get(name) ?? newRetired(old.start)
  history.retired.set(name, retired)
  retired.values.push(...log.values.slice(0, count))
  retired.times.push(...log.times.slice(0, count))
  for (const boundary of log.boundaries) if (boundary <= head.start) retired.boundaries.add(boundary)
}

export function watchIndex(
  history: History,
  stores: Stores,
  rules: KeepRules,
  {
    key,
    before,
    after,
  }: { readonly key: ItemKey; readonly before: Attributes | undefined; readonly after: Attributes | undefined },
): void {
  if (before === undefined) return
  const place = placeOf(key)
  if (place === undefined) return
  const { tableId, bucket } = place
  const old = decodeIndexItem({ key, attributes: before })
  const where = `the index item of ${old.start} to ${old.end} of ${tableId}#${bucket}`
  if (after === undefined) {
    const head = headOf(stores, tableId, bucket)
    if (head !== undefined && old.end > head.start && !history.drops.has(tableId))
      history.break('G3', 'dense', `${where} is deleted, the log begins at ${head.start}`)
    return
  }
  const item = decodeIndexItem({ key, attributes: after })
  if (item.start !== old.start || item.maxTime !== old.maxTime)
    history.break('G3', 'dense', `${where} begins at ${item.start} now, its time was ${old.maxTime} and is ${item.maxTime}`)
  const head = headOf(stores, tableId, bucket)
  // What was given up, or dropped with its schemas, may be written again and repointed: nobody reads it.
  if (head === undefined || old.end <= head.start || history.drops.has(tableId)) return
  const [rows, rowsBefore] = [item, old].map(({ entries, start }) => {
    const problems: string[] = []
    const found = entryRows(stores, tableId, entries, start, rules.schema, problems)
    for (const problem of problems) history.break('G10', 'reach', `${where}: ${problem}`)
    return JSON.stringify([found.values.map(String), found.times])
  })
  if (rows !== rowsBefore) history.break('G5', 'agree', `${where} has other rows after it was repointed`)
}

export const isIndexKey = (key: ItemKey): boolean => key.sort.startsWith(indexSorts.first)

const newRetired = (start: bigint): Retired => ({ start, values: [], times: [], boundaries: new Set() })

/** Of a head's items: `<tableId>#<bucket>`. Undefined: of a partition, which goes whole, and whose rows have checks of their own. */
function placeOf(key: ItemKey): { readonly tableId: string; readonly bucket: number } | undefined {
  const tableId = key.partition.slice(0, key.partition.indexOf('#'))
  for (let bucket = 0; bucket < 1024; bucket++)
    if (headKey(tableId, { partition: '', bucket }).partition === key.partition) return { tableId, bucket }
  return undefined
}
