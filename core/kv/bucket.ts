/**
 * A keyed bucket as one process knows it: the newest snapshot that it read, and the changelog from there, decoded. It is the state at
 * exactly `end`; it only moves forward, one reader of the log at a time. Writes and lookups share it. It keeps no truth: a lookup asks
 * the head for the end first, and a write commits on the condition that the end is the one it saw.
 */

import type { Head } from '../format/items/head.ts'
import type { Snapshot } from '../format/items/kv.ts'
import type { KeyState } from '../format/run/block.ts'
import { present } from '../kernel/assert.ts'
import { isSluiceError, SluiceError } from '../kernel/errors.ts'
import type { Offset } from '../kernel/ids.ts'
import { limits } from '../kernel/limits.ts'
import { readHead } from '../log/head/birth.ts'
import type { Reading } from '../log/read/reading.ts'
import { type BucketRef, idOf } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import { type Ahead, readAhead } from './ahead.ts'
import type { KvCache } from './cache.ts'
import { findKeys } from './find.ts'
import { readKvItem } from './item.ts'
import { type Keep, Kept } from './keep.ts'
import { keyFormOf } from './key.ts'
import { findPrefixes } from './prefixes.ts'
import { learnRuns, readsAtOnce, runsOf, type SnapshotReading, superseded } from './snapshot.ts'
import { type Committed, readTail, Tail } from './tail.ts'

export interface KvReading {
  readonly reading: Reading
  readonly cache: KvCache
  /** Its tail takes more than before. Errors: `NoRoomForTail`: it has to be forgotten. */
  readonly grown: (bucket: KvBucket) => void
}

/** Of keys, or of prefixes, at one offset. */
export interface Found<T> {
  readonly end: Offset
  /** What was kept of each, in their order. */
  readonly kept: readonly T[]
}

/** The tail was forgotten while it was used, because all together take too much. */
export class NoRoomForTail extends Error {}

const attemptsMax = 4

export class KvBucket {
  readonly #kv: KvReading
  readonly #at: BucketRef
  #known: { readonly snapshot: Snapshot; readonly version: bigint; readonly tail: Tail } | undefined
  #lock: Promise<unknown> = Promise.resolve()
  /** End of the last commit that the state has whole: a reader of the log that stopped on its way left it inside another. */
  #wholeTo: Offset | undefined
  #pinned = 0
  /** Commits that were seen since the snapshot was last asked for. */
  #commits = 0
  /** In use, so that it is not forgotten. */
  users = 0

  constructor(kv: KvReading, at: BucketRef) {
    this.#kv = kv
    this.#at = at
  }

  get tailBytes(): number {
    return this.#known?.tail.bytes ?? 0
  }

  /** Of the newest state that is known; undefined before the first look. */
  get end(): Offset | undefined {
    return this.#known?.tail.end
  }

  /** The snapshot where none is known yet, to be read beside the head. */
  async readAhead(table: Table): Promise<Ahead | undefined> {
    return this.#known === undefined ? readAhead(this.#kv.reading.world, table.tableId, idOf(this.#at)) : undefined
  }

  /** Brings the state to the head's end or past it. `ahead`: of `readAhead`, with keys that are looked for then. Errors: `changed`, those of the stores. */
  catchUp(table: Table, head: Head | undefined, ahead?: Ahead, sought: readonly string[] = []): Promise<void> {
    return this.#alone(async () => {
      await this.#load(table, head, ahead)
      const runs = this.#runsAhead(table, head, ahead === undefined ? [] : sought)
      // The commit that it is inside may lie past the end that the caller knows.
      let seen = this.#isTorn ? await readHead(this.#kv.reading.world, table.tableId, idOf(this.#at)) : head
      for (let attempt = 1; seen !== undefined && this.#tail.end < seen.end; attempt++) {
        try {
          const { reading } = this.#kv
          const to = { head: seen, end: seen.end }
          const tailReading = { reading, table, at: this.#at, form: keyFormOf(table), bytesMax: this.#readBytesMax }
          await readTail(tailReading, this.#tail, to, { onRead: () => this.#grown() })
          this.#wholeTo = this.#tail.end
          this.#commits += 1
        } catch (error) {
          const hasMoved = isSluiceError(error, 'not-found') || isSluiceError(error, 'offset-out-of-range')
          if (!hasMoved || attempt === attemptsMax) throw error
          await this.#refresh(table)
          seen = await readHead(this.#kv.reading.world, table.tableId, idOf(this.#at))
        }
      }
      await runs
      this.#pin()
    })
  }

  /**
   * The states of keys, all at the one offset that is `end` now; undefined: never written. The bucket has been caught up once. Errors:
   * that of `keep.room`.
   */
  find<T>(table: Table, keys: readonly string[], keep: Keep<T>): Promise<Found<T | undefined>> {
    return this.#reading(table, keep, async (reading, kept) => {
      const { snapshot, end, known, missing } = await this.#alone(async () => {
        const { snapshot, tail } = this.#whole()
        const known: [number, KeyState][] = []
        const missing: number[] = []
        for (let i = 0; i < keys.length; i++) {
          const state = tail.states.get(keys[i] as string)
          if (state === undefined) missing.push(i)
          else known.push([i, state])
        }
        return { snapshot, end: tail.end, known, missing }
      })
      const found = new Array<T | undefined>(keys.length).fill(undefined)
      const put = (i: number, value: T): void => {
        found[i] = value
      }
      await kept.take(known, put)
      if (missing.length > 0)
        await findKeys(reading, await runsOf(reading, snapshot), { keys, sought: missing }, (states) => kept.take(states, put))
      return { end, kept: found }
    })
  }

  /**
   * Live rows whose keys begin with one of `prefixes`, none of which begins with another; in key order, at most `rowsMax` of each, all at
   * the one offset that is `end` now. Errors: that of `keep.room`.
   */
  findPrefixes<T>(table: Table, prefixes: readonly string[], rowsMax: number, keep: Keep<T>): Promise<Found<readonly T[]>> {
    return this.#reading(table, keep, async (reading, kept) => {
      const { snapshot, end, changed } = await this.#alone(async () => {
        const { snapshot, tail } = this.#whole()
        const changed = tail.states.beginningWith(prefixes, rowsMax, (rows) => kept.foresee(rows))
        if (tail.bytes > this.#pinned) this.#grown()
        return { snapshot, end: tail.end, changed }
      })
      return { end, kept: await findPrefixes(reading, await runsOf(reading, snapshot), { prefixes, rowsMax, changed }, kept) }
    })
  }

  /** What is superseded while it is read is read anew in the newest snapshot. */
  async #reading<T, R>(table: Table, keep: Keep<T>, read: (reading: SnapshotReading, kept: Kept<T>) => Promise<R>): Promise<R> {
    const reading = this.#snapshots(table)
    for (let attempt = 1; ; attempt++) {
      const kept = new Kept(keep)
      try {
        return await read(reading, kept)
      } catch (error) {
        kept.giveUp()
        if (attempt === attemptsMax || !isSluiceError(error, 'not-found')) throw superseded(error)
        await this.#alone(() => this.#refresh(table))
      }
    }
  }

  #snapshots({ tableId }: Table): SnapshotReading {
    return { objects: this.#kv.reading.world.objects, cache: this.#kv.cache, tableId }
  }

  /** Live rows at `end`. */
  get rows(): bigint {
    const { snapshot, tail } = this.#whole()
    return snapshot.rows + tail.rows
  }

  /** A commit of this process, where nobody has read it from the log yet. */
  apply(commit: Committed): Promise<void> {
    return this.#alone(async () => {
      const tail = this.#known?.tail
      if (tail === undefined || tail.end !== commit.base) return
      tail.apply(commit)
      this.#wholeTo = tail.end
      this.#commits += 1
      this.#pin()
    })
  }

  /** True once for each time that the tail has grown enough for a fold, or to half of the memory at which its writers have to wait. */
  takeFoldDue(): boolean {
    const tail = this.#known?.tail
    if (tail === undefined) return false
    const isLarge = tail.bytes > this.#kv.cache.bytesMax / 4 && !tail.isFoldAsked
    if (tail.references < limits.foldAtReferences && tail.logBytes < limits.foldAtBytes && !isLarge) return false
    tail.isFoldAsked ||= isLarge
    tail.references = 0
    tail.logBytes = 0
    return true
  }

  /** Its memory is given back; whoever comes next reads it again. */
  forget(): void {
    this.#known = undefined
    this.#wholeTo = undefined
    this.#pin()
  }

  /** While nobody reads the log, which moves the state inside a commit too. Errors: `unavailable`, `NoRoomForTail`. */
  #whole(): { readonly snapshot: Snapshot; readonly tail: Tail } {
    if (this.#isTorn)
      throw new SluiceError(
        'unavailable',
        `the changelog of bucket ${this.#at.bucket} could not be read to the end of a commit: try again`,
      )
    if (this.#known === undefined) throw new NoRoomForTail()
    return this.#known
  }

  get #tail(): Tail {
    return present(this.#known, 'a bucket that was loaded').tail
  }

  get #isTorn(): boolean {
    return this.#known !== undefined && this.#known.tail.end !== this.#wholeTo
  }

  async #load(table: Table, head: Head | undefined, ahead: Ahead | undefined): Promise<void> {
    const isDue = this.#commits >= limits.foldAtReferences || this.tailBytes > limits.foldAtBytes * 2
    if (this.#known !== undefined && !isDue) return
    await this.#refresh(table, head, ahead)
  }

  /** Into the cache while the changelog is read, with where few keys may lie. Whoever looks into the runs meets the error, if there is one. */
  async #runsAhead(table: Table, head: Head | undefined, sought: readonly string[]): Promise<void> {
    const { snapshot, tail } = present(this.#known, 'a bucket that was loaded')
    if (head === undefined || tail.end >= head.end) return
    const reading = this.#snapshots(table)
    try {
      const runs = await runsOf(reading, snapshot)
      if (sought.length <= readsAtOnce)
        await findKeys(reading, runs, { keys: sought, sought: [...sought.keys()] }, async () => undefined)
    } catch {}
  }

  /** The newest snapshot, of which the tail need not repeat what it has. One read before the head may lie behind the log's start. */
  async #refresh(table: Table, head?: Head, ahead?: Ahead): Promise<void> {
    const isUsable = ahead !== undefined && head !== undefined && ahead.item.upTo >= head.start
    const item = isUsable ? ahead.item : await readKvItem(this.#kv.reading.world, table.tableId, idOf(this.#at))
    if (isUsable && ahead.runs !== undefined) learnRuns(this.#snapshots(table), ahead.item, ahead.runs)
    this.#commits = 0
    const before = this.#known
    if (item === undefined && before !== undefined) return
    const snapshot = item ?? { manifest: undefined, upTo: head?.start ?? this.#at.partition.floor, rows: 0n }
    const version = item?.version ?? 0n
    if (before !== undefined && version <= before.version) return
    const isInside = before !== undefined && snapshot.upTo <= before.tail.end
    const tail = isInside ? before.tail : new Tail(snapshot.upTo, this.#kv.reading.world.random)
    if (isInside) tail.forget(snapshot.upTo, snapshot.rows - before.snapshot.rows)
    this.#known = { snapshot, version, tail }
    if (tail.end === snapshot.upTo) this.#wholeTo = tail.end
    this.#pin()
  }

  #grown(): void {
    this.#pin()
    try {
      this.#kv.grown(this)
    } catch (error) {
      this.forget()
      throw error
    }
  }

  /** Sixteen that are read at once take no more than the half of the budget that is not of tails. */
  get #readBytesMax(): number {
    return Math.max(64 * 1024, Math.min(8 * 1024 * 1024, this.#kv.cache.bytesMax / 32))
  }

  #pin(): void {
    const bytes = this.tailBytes
    this.#kv.cache.pin(bytes - this.#pinned)
    this.#pinned = bytes
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#lock.then(work)
    this.#lock = done.catch(() => undefined)
    return done
  }
}
