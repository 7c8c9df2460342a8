/**
 * What is judged at the moment of a write, not at the end: every head decodes and its end never goes back, no head of a
 * dropped table is written, a superseded tierer commits nothing, and nothing that something refers to is deleted.
 */
import { decodeHead } from '../../../core/format/items/head.ts'
import { decodeLakeItem } from '../../../core/format/items/lake.ts'
import { decodeTable, tableKey } from '../../../core/format/items/table.ts'
import { SluiceError } from '../../../core/kernel/errors.ts'
import type { Attributes, ItemKey } from '../../../core/ports/items.ts'
import type { History } from '../history.ts'
import type { Process } from '../process.ts'
import type { Stores } from '../product.ts'
import { bucketReferences, inlineName } from '../reader.ts'
import { databaseName, type TableSeen, tableName } from '../stage.ts'
import { externalReferences } from './external.ts'
import { HeldObjects } from './held.ts'
import { isIndexKey, type KeepRules, watchIndex, watchStart } from './keep.ts'
import { keptReferences, lakeReferences } from './lake.ts'

export interface WatchRules extends KeepRules {
  /** A reader may be at what was current within so many ms. */
  readonly snapshotAgeMs: number
}

export function watch(history: History, stores: Stores, tables: TableSeen[], rules: WatchRules): void {
  const held = new HeldObjects(rules.snapshotAgeMs)
  const claimants = new Map<string, Process>()
  const named = tableKey(databaseName, tableName)
  const deleted = (object: string): void => {
    if (rules.external && externalReferences(stores).has(object))
      history.break('G10', 'reach', `${object} is deleted while the external lake refers to it`)
    watchDelete(history, stores, tables, object, rules)
    held.deleted(history, object, rules.now())
  }
  stores.items.onWrite = (key, before, after, author) => {
    if (key.sort === 'h') watchHead(history, stores, rules, { key, before, after, author })
    if (isIndexKey(key)) watchIndex(history, stores, rules, { key, before, after })
    if (key.sort === 'lake' && !rules.external) {
      const references = watchLake(history, stores, claimants, { key, before, after, author })
      if (references !== undefined) held.committed(key.partition, references, rules.now())
    }
    if (key.partition === named.partition && key.sort === named.sort)
      watchTable(history, tables, { key, before, after, author }, rules.now())
    const inline = after === undefined ? inlineName(key) : undefined
    if (inline !== undefined && before !== undefined) deleted(inline)
  }
  stores.objects.onDelete = deleted
  stores.objects.onReplace = (key) => {
    if (!key.endsWith('/version-hint.text')) history.break('G5', 'immutable', `${key} is replaced`)
  }
}

interface ItemWrite {
  readonly key: ItemKey
  readonly before: Attributes | undefined
  readonly after: Attributes | undefined
  readonly author: Process
}

/** The name is freed only when every head is closed: from then on the table is gone for everyone. */
function watchTable(history: History, tables: TableSeen[], { key, before, after }: ItemWrite, now: number): void {
  const old = before === undefined ? undefined : decodeTable({ key, attributes: before })
  const table = after === undefined ? undefined : decodeTable({ key, attributes: after })
  if (old !== undefined && old.tableId !== table?.tableId) history.drops.set(old.tableId, { tableId: old.tableId, goneAt: now })
  if (table !== undefined && table.tableId !== old?.tableId) tables.push({ tableId: table.tableId, buckets: table.buckets.count })
}

/** reach: what an item that a reader may begin with refers to is never deleted. */
function watchDelete(
  history: History,
  stores: Stores,
  tables: readonly TableSeen[],
  object: string,
  { external }: WatchRules,
): void {
  for (const { tableId, buckets } of tables) {
    if (!object.includes(tableId) || history.drops.has(tableId)) continue
    for (let bucket = 0; bucket < buckets; bucket++) {
      if (bucketReferences(stores, tableId, bucket).has(object)) {
        history.break('G10', 'reach', `${object} is deleted while ${tableId}#${bucket} refers to it`)
      }
    }
    if (!external && keptReferences(stores, tableId).has(object))
      history.break('G10', 'reach', `${object} is deleted while the lake of ${tableId} refers to it`)
  }
}

function watchHead(history: History, stores: Stores, rules: KeepRules, { key, before, after }: ItemWrite): void {
  const tableId = key.partition.slice(0, key.partition.indexOf('#'))
  if (after === undefined) return
  try {
    const head = decodeHead({ key, attributes: after })
    if (before === undefined) {
      if (history.drops.has(tableId)) history.break('G1', 'dropped', `the head ${key.partition} of a dropped table is born`)
      return
    }
    const old = decodeHead({ key, attributes: before })
    if (head.end < old.end)
      history.break('G5', 'monotonic', `the end of ${key.partition} goes back from ${old.end} to ${head.end}`)
    if (head.end > old.end && history.drops.has(tableId))
      history.break('G1', 'dropped', `the head ${key.partition} of a dropped table grows`)
    if (head.end > old.end && !old.open) history.break('G1', 'dropped', `the closed head ${key.partition} grows`)
    if (!history.drops.has(tableId)) watchStart(history, stores, rules, key, old, head)
    if (head.gc < old.gc) history.break('G10', 'gc', `the gc of ${key.partition} goes back`)
  } catch (error) {
    history.break(
      'G3',
      'head',
      `${key.partition}: ${error instanceof SluiceError ? `${error.message} ${JSON.stringify(error.facts)}` : String(error)}`,
    )
  }
}

/**
 * A claim changes the epoch; a commit of points under an epoch is its claimant's alone, one that leaves the points is an engine's.
 * Returns what a commit refers to.
 */
function watchLake(
  history: History,
  stores: Stores,
  claimants: Map<string, Process>,
  { key, before, after, author }: ItemWrite,
): ReadonlySet<string> | undefined {
  if (before === undefined || after === undefined) return undefined
  const old = decodeLakeItem(before)
  const lake = decodeLakeItem(after)
  if (lake.epoch < old.epoch || lake.version < old.version)
    history.break('G9', 'fence', `the lake item of ${key.partition} goes back`)
  if (lake.epoch > old.epoch) claimants.set(key.partition, author)
  // Maintenance, ours or an engine's, leaves the points as they are, and needs no claim.
  const isMaintenance = old.committed !== undefined && lake.committed?.points.key === old.committed.points.key
  if (lake.version > old.version && !isMaintenance && lake.epoch === old.epoch && claimants.get(key.partition) !== author) {
    history.break(
      'G9',
      'fence',
      `${author.id} commits to the lake of ${key.partition} under the epoch of ${claimants.get(key.partition)?.id ?? 'nobody'}`,
    )
  }
  if (lake.version === old.version) return undefined
  if (lake.version !== old.version + 1n)
    history.break('G9', 'fence', `the lake of ${key.partition} goes from version ${old.version} to ${lake.version}`)
  try {
    const references = new Set(lakeReferences(stores, key.partition))
    // The catalog names the copy; what was staged has no snapshot with its label.
    if (isMaintenance) references.delete(lake.committed?.metadata.key ?? '')
    return references
  } catch (error) {
    history.break(
      'G10',
      'reach',
      `version ${lake.version} of the lake of ${key.partition}: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}
