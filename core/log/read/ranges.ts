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
import { giveBack, type Memory, memoryOf, type Place, Slabs } from './memory.ts'
import {
  type Asked,
  type Front,
  type Group,
  idOf,
  isInline,
  keyNumberOf,
  merged,
  numberOf,
  onceInOrder,
  type Wanted,
} from './merged.ts'

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
  readonly asked: Asked
  readonly verified: boolean
}

/** A group that may be at hand. */
interface NowRead {
  readonly group: Group
  /** Nothing of it will be kept. */
  readonly isPassing: boolean
  readonly place: Place | undefined
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
    const ranges = new Array<Range>(wanted.length)
    const asked: Asked[] = []
    const awaited: { readonly index: number; readonly range: Promise<Range> }[] = []
    let key = ''
    let keyNumber = 0
    for (let index = 0; index < wanted.length; index++) {
      const one = wanted[index] as Wanted
      if (one.key !== key) keyNumber = keyNumberOf(one.key)
      key = one.key
      const id = idOf(one)
      const kept = this.#take(id)
      const other = kept === undefined ? this.#await(id) : undefined
      if (kept !== undefined) ranges[index] = kept
      else if (other !== undefined) awaited.push({ index, range: other })
      else asked.push({ key, start: one.start, end: one.end, wanted: one, id, number: numberOf(keyNumber, one), index })
    }
    const { once, repeats } = onceInOrder(asked)
    if (once.length > 0) await this.#readMissing(merged(once), ranges, isBorrowed)
    for (const { index, of } of repeats) {
      const range = ranges[of] as Range
      range.memory.uses++
      ranges[index] = range
    }
    for (const { index, range } of awaited) ranges[index] = await range
    return ranges
  }

  /** Into `ranges`. */
  async #readMissing(groups: readonly Group[], ranges: Range[], isBorrowed: boolean): Promise<void> {
    const left = this.#readNow(groups, ranges, isBorrowed)
    if (left.length === 0) return
    const read = (group: Group): Promise<void> => this.#readGroup(group, ranges)
    const inline = { groups: left.filter(isInline), atOnce: inlineReadsAtOnce }
    const others = { groups: left.filter((group) => !isInline(group)), atOnce: readsAtOnce }
    const reading = mapAtOnce([inline, others], 2, (part) => mapAtOnce(part.groups, part.atOnce, read))
    const ids = left.flatMap(({ parts }) => parts.map(({ id }) => id))
    for (const id of ids) this.#reading.set(id, { reading, readers: 1 })
    try {
      await reading
    } finally {
      for (const id of ids) this.#reading.delete(id)
    }
  }

  /** What the store has at hand, object by object; those groups that are left. */
  #readNow(groups: readonly Group[], ranges: Range[], isBorrowed: boolean): readonly Group[] {
    if (this.#objects.readNow === undefined) return groups
    const passing = groups.map((group) => isBorrowed && this.#isPassing(group))
    const room = this.#slabs.room(groups.reduce((sum, { start, end }, i) => (passing[i] ? sum + end - start : sum), 0))
    const left: Group[] = []
    let reads: NowRead[] = []
    for (const [i, group] of groups.entries()) {
      const isPassing = passing[i] === true
      reads.push({ group, isPassing, place: isPassing ? room.place(group.end - group.start, frontOf(group)?.bytes) : undefined })
      if (groups[i + 1]?.key === group.key) continue
      this.#readObjectNow(group.key, reads, ranges, left)
      reads = []
    }
    room.close()
    return left
  }

  #isPassing({ parts }: Group): boolean {
    return parts.every(({ number, start, end }) => {
      const length = end - start
      return length > this.#keptBytesMax / 8 || (length >= largeBytesMin && !this.#onceRead.has(number))
    })
  }

  /** What is damaged is left to be read again. */
  #readObjectNow(key: string, reads: readonly NowRead[], ranges: Range[], left: Group[]): void {
    const found = this.#objects.readNow?.(
      key,
      reads.map(({ group, place }) => ({ start: group.start, end: group.end, into: place?.bytes })),
    )
    for (const [i, { group, isPassing, place }] of reads.entries()) {
      const bytes = found?.[i]
      const checked = bytes === undefined ? undefined : undamaged(group, bytes, place?.memory)
      if (checked === undefined) left.push(group)
      else {
        for (const read of checked) this.#settle(read, ranges, isPassing)
        if (place !== undefined) frontOf(group)?.give(place.front)
      }
    }
  }

  async #readGroup(group: Group, ranges: Range[]): Promise<void> {
    const { key, start, end } = group
    for (let attempt = 1; ; attempt++) {
      try {
        const bytes = await this.#objects.read(key, { start, end })
        for (const read of checked(group, bytes)) this.#settle(read, ranges, false)
        return
      } catch (error) {
        if (attempt >= damagedReadsMax || !isSluiceError(error, 'internal')) throw error
      }
    }
  }

  #settle({ asked, bytes, memory, verified }: Read, ranges: Range[], isPassing: boolean): void {
    const { id, index } = asked
    const range = { bytes, memory }
    ranges[index] = range
    const pending = this.#reading.get(id)
    memory.uses += pending?.readers ?? 1
    if (pending !== undefined) pending.range = range
    if (verified) this.#keep(asked, range, isPassing)
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

  #keep({ id, number }: Asked, range: Range, isPassing: boolean): void {
    const { length } = range.bytes
    if (length > this.#keptBytesMax / 8) return
    if (isPassing) return this.#onceRead.add(number)
    if (this.#kept.has(id)) return
    if (length >= largeBytesMin && !this.#onceRead.take(number)) return
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

const frontOf = ({ parts }: Group): Front | undefined => parts[0]?.wanted.front

/** Undefined: damaged. */
function undamaged(group: Group, bytes: Uint8Array, shared: Memory | undefined): readonly Read[] | undefined {
  try {
    return checked(group, bytes, shared)
  } catch (error) {
    if (isSluiceError(error, 'internal')) return undefined
    throw error
  }
}

/** `bytes`: those of the group, in `shared` or in memory of their own. */
function checked({ key, parts, start, end }: Group, bytes: Uint8Array, shared?: Memory): readonly Read[] {
  if (bytes.length !== end - start)
    throw new SluiceError('internal', `a read of ${key} came back short`, { action: 'retry', facts: { object: key } })
  const used = parts.reduce((sum, one) => sum + one.end - one.start, 0)
  const whole = shared ?? memoryOf(bytes)
  // a view would keep what lies between
  const isShared = used * 1.25 >= bytes.length
  const reads = parts.map((one): Read => {
    const isAll = one.end - one.start === bytes.length
    const view = isAll ? bytes : bytes.subarray(one.start - start, one.end - start)
    const kept = isShared ? view : copyOf(view)
    return { asked: one, bytes: kept, memory: isShared ? whole : memoryOf(kept), verified: one.wanted.verify(kept) }
  })
  if (!isShared && shared === undefined) giveBack(whole)
  return reads
}

/** What a kept range costs besides its bytes, about. */
const perRangeBytes = 256
