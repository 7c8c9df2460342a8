/**
 * What a keyed bucket says, judged as it is written. The changelog is kept record by record as heads grow, so that the state at every
 * offset is known: each record must be one that the state before it allows, with the origin of the row that it takes back (fold); each
 * snapshot must be the state at its offset, with as many rows, and its changelog must begin at or below it; a lookup must be the state at
 * one offset between the end when it began and the end when it was answered; a request's rows are there once; a number is drawn once in
 * the table, and a row keeps it; changes have the row before and after.
 */

import type { Field } from '../../../core/format/arrow/column.ts'
import { decodeFrame } from '../../../core/format/arrow/frame.ts'
import { type Entry, objectKey } from '../../../core/format/items/entry.ts'
import { decodeHead } from '../../../core/format/items/head.ts'
import { decodeKvItem, type KvItem } from '../../../core/format/items/kv.ts'
import { decodeRunBlock } from '../../../core/format/run/block.ts'
import { decodeManifest } from '../../../core/format/run/manifest.ts'
import { decodeRunMeta } from '../../../core/format/run/run.ts'
import { decodeBlock } from '../../../core/format/segment/block.ts'
import { bytesOfSpan } from '../../../core/kernel/bytes.ts'
import { keyOf } from '../../../core/kv/key.ts'
import { decodeRow } from '../../../core/kv/row.ts'
import { type Row, rowsOf } from '../../../core/kv/values.ts'
import { changes, opColumn, prevColumn } from '../../../core/model/changelog.ts'
import type { Attributes, ItemKey } from '../../../core/ports/items.ts'
import type { History } from '../history.ts'
import type { Stores } from '../product.ts'
import { storedObject } from '../reader.ts'

export interface KeyedRules {
  readonly columns: readonly Field[]
  readonly now: () => number
}

interface Version {
  readonly offset: bigint
  /** Undefined: gone. */
  readonly value: bigint | undefined
  /** Of its autoIncrement column. */
  readonly number: bigint | undefined
}

export class KeyedBucketHistory {
  readonly name: string
  readonly floor: bigint
  end: bigint
  rows = 0
  /** By key, in the order of offsets. */
  readonly versions = new Map<string, Version[]>()
  /** Offset at which a value was written. */
  readonly written = new Map<bigint, bigint[]>()
  /** Ends of commits. */
  readonly boundaries: Set<bigint>
  readonly rowsAt = new Map<bigint, number>()
  pendingUpdate: string | undefined

  constructor(name: string, floor: bigint) {
    this.name = name
    this.floor = floor
    this.end = floor
    this.boundaries = new Set([floor])
    this.rowsAt.set(floor, 0)
  }

  current(key: string): Version | undefined {
    return this.versions.get(key)?.at(-1)
  }

  at(key: string, offset: bigint): Version | undefined {
    return this.versions.get(key)?.findLast((version) => version.offset < offset)
  }
}

export class KeyedWatch {
  readonly #history: History
  readonly #stores: Stores
  readonly #rules: KeyedRules
  /** By what the autoIncrement column drew: where. */
  readonly #numbers = new Map<bigint, string>()
  readonly buckets = new Map<string, KeyedBucketHistory>()

  constructor(history: History, stores: Stores, rules: KeyedRules) {
    this.#history = history
    this.#stores = stores
    this.#rules = rules
  }

  /** Beside the rules for every table. */
  written(key: ItemKey, before: Attributes | undefined, after: Attributes | undefined): void {
    if (after === undefined || !/^[0-9a-f]{16}#[0-9]+$/.test(key.partition)) return
    try {
      if (key.sort === 'h') this.#head(key, after)
      if (key.sort === 'k') this.#snapshot(key, before, after)
    } catch (error) {
      this.#history.break(
        'G7',
        'fold',
        `${key.partition}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      )
    }
  }

  #head(key: ItemKey, after: Attributes): void {
    const head = decodeHead({ key, attributes: after })
    let bucket = this.buckets.get(key.partition)
    if (bucket === undefined) {
      bucket = new KeyedBucketHistory(key.partition, head.start)
      this.buckets.set(key.partition, bucket)
    }
    const tableId = key.partition.slice(0, 16)
    let offset: bigint = head.base
    for (const entry of head.recent) {
      if (offset >= bucket.end) this.#entry(bucket, tableId, entry, offset)
      offset += BigInt(entry.count)
    }
    const item = this.#stores.items.get({ partition: key.partition, sort: 'k' }, 'plain')
    const kept = item === undefined ? bucket.floor : leastOf(decodeKvItem(item), this.#rules.now())
    if (head.start > kept)
      this.#history.break(
        'G7',
        'ahead',
        `${bucket.name} begins at ${head.start}, and its snapshot needs the changelog from ${kept}`,
      )
  }

  #entry(bucket: KeyedBucketHistory, tableId: string, entry: Entry, base: bigint): void {
    const object = storedObject(this.#stores, objectKey(tableId, entry))
    const range = object.subarray(entry.start, entry.start + entry.length)
    let offset = base
    const fields = [...this.#rules.columns, opColumn, prevColumn]
    for (let at = 0; at < range.length; ) {
      const block = decodeBlock(range.subarray(at), 'the log', entry.start + at)
      for (const { message } of block.frames)
        for (const row of rowsOf(decodeFrame(message, fields))) this.#record(bucket, row, offset++)
      at += block.bytes
    }
    bucket.end = offset
    bucket.boundaries.add(offset)
    bucket.rowsAt.set(offset, bucket.rows)
    if (bucket.pendingUpdate !== undefined) this.#history.break('G7', 'fold', `${bucket.name} ends in a -U at ${offset}`)
  }

  #record(bucket: KeyedBucketHistory, row: ReturnType<typeof rowsOf>[number], offset: bigint): void {
    const { columns } = this.#rules
    const key = keyOf(keyForm(columns), row)
    const value = valueIn(row)
    const [op, prev] = [row[columns.length] as number, row[columns.length + 1] as bigint | null]
    const current = bucket.current(key)
    const there = current?.value
    const say = (what: string): void =>
      this.#history.break('G7', 'fold', `${bucket.name} at ${offset}, operation ${op} on ${JSON.stringify(key)}: ${what}`)
    const origin = prev === null ? undefined : prev < 0n ? offset + prev : prev
    if (op === changes.insert && there !== undefined) say(`the key has ${there} since ${current?.offset}`)
    if (op === changes.updateBefore || op === changes.delete) {
      if (there === undefined) say('the key has no row')
      else if (there !== value) say(`the row before was ${there}, not ${value}`)
      if (origin !== current?.offset) say(`the row before was written at ${current?.offset}, not at ${origin}`)
    }
    this.#number(bucket, { op, number: row[3] as bigint | null, current, offset })
    if (op === changes.updateAfter && bucket.pendingUpdate !== key) say('no -U of the key stands before it')
    if (op === changes.updateAfter && value === insertedValue) say('a lookup that inserts has written over the row')
    bucket.pendingUpdate = op === changes.updateBefore ? key : undefined
    if (op === changes.updateBefore) return
    const isThere = op !== changes.delete
    bucket.rows += Number(isThere) - Number(there !== undefined)
    const versions = bucket.versions.get(key) ?? []
    versions.push({ offset, value: isThere ? value : undefined, number: isThere ? (row[3] as bigint) : undefined })
    bucket.versions.set(key, versions)
    if (isThere && value !== insertedValue) bucket.written.set(value, [...(bucket.written.get(value) ?? []), offset])
  }

  #number(
    { name }: KeyedBucketHistory,
    { op, number, current, offset }: { op: number; number: bigint | null; current: Version | undefined; offset: bigint },
  ): void {
    const say = (what: string): void => this.#history.break('G7', 'numbers', `${name} at ${offset}: ${what}`)
    if (number === null) return say('a row without a number')
    if (op !== changes.insert) {
      if (number !== current?.number) say(`the row's number was ${current?.number} and is ${number}`)
      return
    }
    const before = this.#numbers.get(number)
    if (before !== undefined) say(`${number} is of ${before}`)
    this.#numbers.set(number, `${name} at ${offset}`)
  }

  #snapshot(key: ItemKey, before: Attributes | undefined, after: Attributes): void {
    const item = decodeKvItem({ key, attributes: after })
    if (before !== undefined && decodeKvItem({ key, attributes: before }).version === item.version) return
    const bucket = this.buckets.get(key.partition)
    if (bucket === undefined) return this.#history.break('G7', 'fold', `${key.partition} has a snapshot and no log`)
    const say = (what: string): void =>
      this.#history.break('G7', 'snapshot', `${bucket.name} version ${item.version} at ${item.upTo}: ${what}`)
    if (item.upTo > bucket.end) return say(`its log ends at ${bucket.end}`)
    if (!bucket.boundaries.has(item.upTo)) say('this is inside a commit')
    const older = before === undefined ? undefined : decodeKvItem({ key, attributes: before })
    if (older !== undefined && item.upTo < older.upTo) say(`it goes back from ${older.upTo}`)
    if (Number(item.rows) !== bucket.rowsAt.get(item.upTo))
      say(`it counts ${item.rows} rows, not ${bucket.rowsAt.get(item.upTo)}`)
    const rows = this.#rowsOf(key.partition.slice(0, 16), item)
    for (const [each, versions] of bucket.versions) {
      const wanted = versions.findLast(({ offset }) => offset < item.upTo)
      const found = rows.get(each)
      if (found?.value !== wanted?.value) say(`${JSON.stringify(each)} has ${found?.value}, not ${wanted?.value}`)
      else if (found !== undefined && wanted?.value !== undefined && found.offset !== wanted.offset)
        say(`${JSON.stringify(each)} was written at ${wanted.offset}, not at ${found.offset}`)
      else if (found?.number !== wanted?.number) say(`${JSON.stringify(each)} has number ${found?.number}, not ${wanted?.number}`)
      rows.delete(each)
    }
    if (rows.size > 0) say(`it has ${rows.size} keys that never were`)
  }

  /** Live rows, read from the stored bytes. */
  #rowsOf(tableId: string, { manifest }: KvItem): Map<string, Version> {
    const rows = new Map<string, Version>()
    const gone = new Set<string>()
    if (manifest === undefined) return rows
    const runs = decodeManifest(storedObject(this.#stores, objectKey(tableId, manifest.object)), 'the manifest')
    const types = this.#rules.columns.map(({ type }) => type)
    for (const run of runs) {
      const bytes = storedObject(this.#stores, objectKey(tableId, run.object))
      const meta = decodeRunMeta(bytes.subarray(run.metaStart), run.metaStart, 'a run')
      for (let i = 0; i < meta.blocks; i++) {
        const { start, end } = meta.range(i)
        const block = decodeRunBlock(bytes.subarray(start, end), start, 'a run')
        for (let j = 0; j < block.count; j++) {
          const { key, row, offset } = block.at(j)
          if (rows.has(key) || gone.has(key)) continue
          if (row === undefined) gone.add(key)
          else rows.set(key, versionOf(offset, decodeRow(types, bytesOfSpan(row))))
        }
      }
    }
    return rows
  }
}

const versionOf = (offset: bigint, row: Row): Version => ({ offset, value: valueIn(row), number: row[3] as bigint })

/** Of rows that lookups have inserted: writers always bring one. */
const insertedValue = -1n
const valueIn = (row: Row): bigint => (row[0] as bigint | null) ?? insertedValue
/** What of a row that was read is compared. */
export const seenOf = (row: Row): Seen => ({ value: valueIn(row), number: row[3] as bigint })

/** A lease that has run out on every clock keeps nothing. */
const leastOf = (item: KvItem, now: number): bigint =>
  [...item.leases.values()]
    .filter(({ until }) => until + skewMs >= now)
    .reduce((least: bigint, { upTo }) => (upTo < least ? upTo : least), item.upTo)

const skewMs = 150_000

const keyForm = (columns: readonly Field[]) => ({
  names: ['k'],
  types: columns.slice(2, 3).map(({ type }) => type),
  indices: [2],
})

type Seen = Pick<Version, 'value' | 'number'>

export interface LookedUp {
  readonly keys: readonly string[]
  readonly rows: readonly (Seen | undefined)[]
}

/** `from`, `to`: ends of the bucket when the lookup began and when it was answered; `at`: the offset that was answered. */
export function checkLookup(
  history: History,
  bucket: KeyedBucketHistory,
  { keys, rows }: LookedUp,
  { from, to, at }: { readonly from: bigint; readonly to: bigint; readonly at: bigint | undefined },
): void {
  const offsets = [...bucket.boundaries].filter((offset) => offset === at && offset >= from && offset <= to)
  if (offsets.some((offset) => keys.every((key, i) => isSame(bucket.at(key, offset), rows[i])))) return
  const found = keys.map((key, i) => `${JSON.stringify(key)} ${shown(rows[i])}`).join(', ')
  const wanted = offsets
    .map((offset) => `at ${offset}: ${keys.map((key) => shown(bucket.at(key, offset))).join(', ')}`)
    .join(' · ')
  history.break('G6', 'lookup', `${bucket.name} at ${at}, between ${from} and ${to}: found ${found}; it was ${wanted}`)
}

export const isSame = (a: Seen | undefined, b: Seen | undefined): boolean => a?.value === b?.value && a?.number === b?.number

export const shown = (seen: Seen | undefined): string =>
  seen?.value === undefined ? 'none' : `${seen.value} with number ${seen.number}`

export interface ChangeSeen {
  readonly offset: bigint
  readonly key: string
  readonly before: Seen | undefined
  readonly after: Seen | undefined
}

/** A page of changes from `from` that says its reader is at `to`: every change between, each with the row before and after. */
export function checkBinlog(
  history: History,
  bucket: KeyedBucketHistory,
  { from, to, changes: found }: { readonly from: bigint; readonly to: bigint; readonly changes: readonly ChangeSeen[] },
): void {
  const say = (what: string): void => history.break('G7', 'binlog', `${bucket.name} from ${from} to ${to}: ${what}`)
  const wanted = [...bucket.versions].flatMap(([key, versions]) =>
    versions.filter(({ offset }) => offset >= from && offset < to).map((after) => ({ key, after })),
  )
  if (wanted.length !== found.length) return say(`${found.length} changes, not ${wanted.length}`)
  const byOffset = new Map(wanted.map((change) => [change.after.offset, change]))
  for (const { offset, key, before, after } of found) {
    const change = byOffset.get(offset)
    const was = bucket.at(key, offset)
    if (change?.key !== key || !isSame(change.after, after) || !isSame(was, before))
      say(
        `at ${offset} ${JSON.stringify(key)} went from ${shown(before)} to ${shown(after)}; it went from ${shown(was)} to ${shown(change?.after)}`,
      )
  }
}
