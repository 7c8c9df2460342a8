/**
 * Verified byte ranges of the log's objects. What is asked for together is merged where it lies close, read a few at once, and
 * checked; a short or damaged read is read again, because the object is immutable and another answer is the store's fault. What
 * passed the check is kept, up to a number of bytes; a large range only when it is asked for again, so that who reads everything
 * once leaves alone what many read. Who asks for what another is reading waits for that. Ranges are shared: nobody writes into them.
 * Who borrows ranges and gives them back lets their memory go when the last of its users has: a collector that finds hundreds of
 * megabytes by itself stops everybody for tens of milliseconds. What is not given back is left to it.
 */
import { copyOf } from '../../kernel/bytes.ts'
import { isSluiceError, SluiceError } from '../../kernel/errors.ts'
import { mapAtOnce } from '../../kernel/parallel.ts'
import type { ObjectStore } from '../../ports/objects.ts'
import { Lately } from './lately.ts'
import { giveBack, type Memory, memoryOf, type SlabRoom, Slabs } from './memory.ts'
import { type Asked, bytesIn, endOf, type Group, idOf, isInline, merged, type Wanted } from './merged.ts'

export interface RangeReader {
  /** In the order of `wanted`. Errors: `not-found` (the object is gone), `internal`, those of the store. */
  read(wanted: readonly Wanted[]): Promise<readonly Uint8Array[]>
}

/** Reads, until its ranges are given back, all at once; bytes that came of it are empty from then on. */
export interface BorrowedRanges extends RangeReader {
  release(): void
}

interface Range {
  readonly bytes: Uint8Array
  readonly memory: Memory
}

interface Read extends Range {
  readonly id: string
  readonly verified: boolean
}

/** A range that is being read. */
interface Pending {
  /** Everything that was asked for with it. */
  readonly reading: Promise<unknown>
  /** Who waits for it; each is a user of its memory. */
  readers: number
  range?: Range
}

const readsAtOnce = 8
/** Small, and those that are asked for together are one query. */
const inlineReadsAtOnce = 512
const damagedReadsMax = 3
const largeBytesMin = 32 * 1024
/** Of memory that waits for the next reader: two pages. */
const idleBytesMax = 8 * 1024 * 1024

export class Ranges implements RangeReader {
  readonly #objects: ObjectStore
  readonly #keptBytesMax: number
  readonly #slabs = new Slabs(idleBytesMax)
  /** In the order of their last use. */
  readonly #kept = new Map<string, Range>()
  /** Large ranges that were read, and not kept. */
  readonly #onceRead = new Lately()
  readonly #reading = new Map<string, Pending>()
  #keptBytes = 0

  constructor(objects: ObjectStore, keptBytesMax: number) {
    this.#objects = objects
    this.#keptBytesMax = keptBytesMax
  }

  get keptBytes(): number {
    return this.#keptBytes
  }

  async read(wanted: readonly Wanted[]): Promise<readonly Uint8Array[]> {
    return (await this.#read(wanted, false)).map(({ bytes }) => bytes)
  }

  borrow(): BorrowedRanges {
    const used: Memory[] = []
    return {
      read: async (wanted) => {
        const ranges = await this.#read(wanted, true)
        for (const { memory } of ranges) used.push(memory)
        return ranges.map(({ bytes }) => bytes)
      },
      release: () => {
        for (const memory of used.splice(0)) giveBack(memory)
      },
    }
  }

  /** The caller is a user of each, and `isBorrowed`: gives them back. */
  async #read(wanted: readonly Wanted[], isBorrowed: boolean): Promise<readonly Range[]> {
    const missing = new Map<string, Asked>()
    const found = wanted.map((one): Range | Promise<Range> | string => {
      const id = idOf(one)
      const ready = this.#take(id) ?? this.#await(id)
      if (ready === undefined) missing.set(id, { ...one, id })
      return ready ?? id
    })
    const own = await this.#readMissing(missing, isBorrowed)
    const ranges: Range[] = []
    for (const one of found) {
      if (typeof one !== 'string') ranges.push(one instanceof Promise ? await one : one)
      else {
        const range = own.get(one) as Range
        // asked for twice: the second user was not counted
        if (!missing.delete(one)) range.memory.uses++
        ranges.push(range)
      }
    }
    return ranges
  }

  async #readMissing(missing: ReadonlyMap<string, Asked>, isBorrowed: boolean): Promise<ReadonlyMap<string, Range>> {
    const own = new Map<string, Range>()
    if (missing.size === 0) return own
    const read = (group: Group): Promise<void> => this.#readGroup(group, own)
    const groups = this.#readNow(merged([...missing.values()]), own, isBorrowed)
    if (groups.length === 0) return own
    const inline = { groups: groups.filter(isInline), atOnce: inlineReadsAtOnce }
    const others = { groups: groups.filter((group) => !isInline(group)), atOnce: readsAtOnce }
    const reading = mapAtOnce([inline, others], 2, (part) => mapAtOnce(part.groups, part.atOnce, read))
    for (const id of missing.keys()) if (!own.has(id)) this.#reading.set(id, { reading, readers: 1 })
    try {
      await reading
    } finally {
      for (const { id } of groups.flat()) this.#reading.delete(id)
    }
    return own
  }

  /** What the store has at hand; those groups that are left. */
  #readNow(groups: readonly Group[], own: Map<string, Range>, isBorrowed: boolean): readonly Group[] {
    if (this.#objects.readNow === undefined) return groups
    const passing = isBorrowed ? groups.filter((group) => this.#isPassing(group)) : []
    const room = this.#slabs.room(passing.reduce((sum, group) => sum + bytesIn(group), 0))
    const shared = new Set(passing)
    const left = groups.filter((group) => !this.#readGroupNow(group, own, shared.has(group) ? room : undefined))
    room.close()
    return left
  }

  /** Nothing of it will be kept. */
  #isPassing(group: Group): boolean {
    return group.every(({ id, start, end }) => {
      const length = end - start
      return length > this.#keptBytesMax / 8 || (length >= largeBytesMin && !this.#onceRead.has(id))
    })
  }

  /** What is damaged is left to be read again. */
  #readGroupNow(group: Group, own: Map<string, Range>, room: SlabRoom | undefined): boolean {
    const { key, start } = group[0] as Asked
    const end = endOf(group)
    const place = room?.place(end - start)
    const bytes = this.#objects.readNow?.(key, { start, end }, place?.bytes)
    if (bytes === undefined) return false
    try {
      for (const read of checked(group, start, end - start, bytes, place?.memory)) this.#settle(read, own)
      if (place !== undefined) room?.take(place)
      return true
    } catch (error) {
      if (isSluiceError(error, 'internal')) return false
      throw error
    }
  }

  async #readGroup(group: Group, own: Map<string, Range>): Promise<void> {
    const { key, start } = group[0] as Asked
    const end = endOf(group)
    for (let attempt = 1; ; attempt++) {
      try {
        const bytes = await this.#objects.read(key, { start, end })
        for (const read of checked(group, start, end - start, bytes)) this.#settle(read, own)
        return
      } catch (error) {
        if (attempt >= damagedReadsMax || !isSluiceError(error, 'internal')) throw error
      }
    }
  }

  #settle({ id, bytes, memory, verified }: Read, own: Map<string, Range>): void {
    const range = { bytes, memory }
    own.set(id, range)
    const pending = this.#reading.get(id)
    memory.uses += pending?.readers ?? 1
    if (pending !== undefined) pending.range = range
    if (verified) this.#keep(id, range)
  }

  /** A kept range; its memory has one more user. */
  #take(id: string): Range | undefined {
    const range = this.#kept.get(id)
    if (range === undefined) return undefined
    this.#kept.delete(id)
    this.#kept.set(id, range)
    range.memory.uses++
    return range
  }

  /** A range that is being read; its memory has one more user. */
  #await(id: string): Promise<Range> | undefined {
    const pending = this.#reading.get(id)
    if (pending === undefined) return undefined
    if (pending.range === undefined) pending.readers++
    else pending.range.memory.uses++
    const promised = pending.reading.then(() => pending.range as Range)
    // asked for below, perhaps after it has failed
    promised.catch(() => undefined)
    return promised
  }

  #keep(id: string, range: Range): void {
    const { length } = range.bytes
    if (length > this.#keptBytesMax / 8 || this.#kept.has(id)) return
    if (length >= largeBytesMin && !this.#onceRead.take(id)) return
    range.memory.uses++
    this.#kept.set(id, range)
    this.#keptBytes += length + perRangeBytes
    for (const [oldest, { bytes, memory }] of this.#kept) {
      if (this.#keptBytes <= this.#keptBytesMax) return
      this.#kept.delete(oldest)
      this.#keptBytes -= bytes.length + perRangeBytes
      giveBack(memory)
    }
  }
}

/** `bytes`: of the object from `start` on, in `shared` or in memory of their own. */
function checked(group: Group, start: number, length: number, bytes: Uint8Array, shared?: Memory): readonly Read[] {
  if (bytes.length !== length) {
    const key = group[0]?.key ?? ''
    throw new SluiceError('internal', `a read of ${key} came back short`, { action: 'retry', facts: { object: key } })
  }
  const used = group.reduce((sum, one) => sum + one.end - one.start, 0)
  const whole = shared ?? memoryOf(bytes)
  // a view would keep what lies between
  const isShared = used * 1.25 >= length
  const reads = group.map((one): Read => {
    const view = bytes.subarray(one.start - start, one.end - start)
    const kept = isShared ? view : copyOf(view)
    return { id: one.id, bytes: kept, memory: isShared ? whole : memoryOf(kept), verified: one.verify(kept) }
  })
  if (!isShared && shared === undefined) giveBack(whole)
  return reads
}

/** What a kept range costs besides its bytes, about. */
const perRangeBytes = 256
