/**
 * Verified byte ranges of the log's objects. What is asked for together is merged where it lies close, read a few at once, and
 * checked; a short or damaged read is read again, because the object is immutable and another answer is the store's fault. What
 * passed the check is kept, up to a number of bytes; a large range only when it is asked for again, so that who reads everything
 * once leaves alone what many read. Who asks for what another is reading waits for that. Ranges are shared: nobody writes into them.
 */
import { isSluiceError, SluiceError } from '../../kernel/errors.ts'
import { mapAtOnce } from '../../kernel/parallel.ts'
import type { ObjectStore } from '../../ports/objects.ts'

export interface Wanted {
  readonly key: string
  /** [start, end) in the object. */
  readonly start: number
  readonly end: number
  /** Throws `internal` on damage. False: nothing of it could be checked, so it is not kept. */
  readonly verify: (bytes: Uint8Array) => boolean
}

interface Read {
  readonly id: string
  readonly bytes: Uint8Array
  readonly verified: boolean
}

const readsAtOnce = 8
/** Small, and those that are asked for together are one query. */
const inlineReadsAtOnce = 512
const gapBytesMax = 32 * 1024
const mergedBytesMax = 4 * 1024 * 1024
const damagedReadsMax = 3
const largeBytesMin = 64 * 1024
const onceReadMax = 1_000

export class Ranges {
  readonly #objects: ObjectStore
  readonly #keptBytesMax: number
  /** In the order of their last use. */
  readonly #kept = new Map<string, Uint8Array>()
  /** Large ranges that were read, and not kept. */
  readonly #onceRead = new Set<string>()
  readonly #reading = new Map<string, Promise<Uint8Array>>()
  #keptBytes = 0

  constructor(objects: ObjectStore, keptBytesMax: number) {
    this.#objects = objects
    this.#keptBytesMax = keptBytesMax
  }

  get keptBytes(): number {
    return this.#keptBytes
  }

  /** In the order of `wanted`. Errors: `not-found` (the object is gone), `internal`, those of the store. */
  async read(wanted: readonly Wanted[]): Promise<readonly Uint8Array[]> {
    const missing = new Map<string, Wanted>()
    const found = wanted.map((one): Uint8Array | Promise<Uint8Array> | string => {
      const id = idOf(one)
      const ready = this.#take(id) ?? this.#reading.get(id)
      if (ready === undefined) missing.set(id, one)
      return ready ?? id
    })
    const own = await this.#readMissing([...missing.values()])
    return Promise.all(found.map((one) => (typeof one === 'string' ? (own.get(one) as Uint8Array) : one)))
  }

  async #readMissing(missing: readonly Wanted[]): Promise<ReadonlyMap<string, Uint8Array>> {
    const own = new Map<string, Uint8Array>()
    if (missing.length === 0) return own
    const read = async (group: readonly Wanted[]): Promise<void> => {
      for (const { id, bytes, verified } of await this.#readGroup(group)) {
        own.set(id, bytes)
        if (verified) this.#keep(id, bytes)
      }
    }
    const groups = merged(missing)
    const inline = { groups: groups.filter(isInline), atOnce: inlineReadsAtOnce }
    const others = { groups: groups.filter((group) => !isInline(group)), atOnce: readsAtOnce }
    const reading = mapAtOnce([inline, others], 2, (part) => mapAtOnce(part.groups, part.atOnce, read))
    for (const one of missing) {
      const id = idOf(one)
      const promised = reading.then(() => own.get(id) as Uint8Array)
      // whoever waits for it is told; if nobody does, our caller is
      promised.catch(() => undefined)
      this.#reading.set(id, promised)
    }
    try {
      await reading
    } finally {
      for (const one of missing) this.#reading.delete(idOf(one))
    }
    return own
  }

  async #readGroup(group: readonly Wanted[]): Promise<readonly Read[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#readGroupOnce(group)
      } catch (error) {
        if (attempt >= damagedReadsMax || !isSluiceError(error, 'internal')) throw error
      }
    }
  }

  async #readGroupOnce(group: readonly Wanted[]): Promise<readonly Read[]> {
    const { key, start } = group[0] as Wanted
    const end = group.reduce((most, one) => Math.max(most, one.end), start)
    const bytes = await this.#objects.read(key, { start, end })
    if (bytes.length !== end - start)
      throw new SluiceError('internal', `a read of ${key} came back short`, { action: 'retry', facts: { object: key } })
    const used = group.reduce((sum, one) => sum + one.end - one.start, 0)
    return group.map((one) => {
      const view = bytes.subarray(one.start - start, one.end - start)
      const verified = one.verify(view)
      // a view would keep what lies between
      return { id: idOf(one), bytes: used * 1.25 >= bytes.length ? view : view.slice(), verified }
    })
  }

  #take(id: string): Uint8Array | undefined {
    const bytes = this.#kept.get(id)
    if (bytes === undefined) return undefined
    this.#kept.delete(id)
    this.#kept.set(id, bytes)
    return bytes
  }

  #isAskedAgain(id: string): boolean {
    if (this.#onceRead.delete(id)) return true
    this.#onceRead.add(id)
    for (const oldest of this.#onceRead) {
      if (this.#onceRead.size <= onceReadMax) break
      this.#onceRead.delete(oldest)
    }
    return false
  }

  #keep(id: string, bytes: Uint8Array): void {
    if (bytes.length > this.#keptBytesMax / 8 || this.#kept.has(id)) return
    if (bytes.length >= largeBytesMin && !this.#isAskedAgain(id)) return
    this.#kept.set(id, bytes)
    this.#keptBytes += bytes.length + perRangeBytes
    for (const [oldest, { length }] of this.#kept) {
      if (this.#keptBytes <= this.#keptBytesMax) return
      this.#kept.delete(oldest)
      this.#keptBytes -= length + perRangeBytes
    }
  }
}

/** What a kept range costs besides its bytes, about. */
const perRangeBytes = 256

const idOf = ({ key, start, end }: Wanted): string => `${key}@${start}-${end}`

const isInline = ([one]: readonly Wanted[]): boolean => one?.key.endsWith('i') ?? false

/** Each group is one read: ranges of one object, in order, with small gaps. */
function merged(wanted: readonly Wanted[]): readonly (readonly Wanted[])[] {
  const sorted = [...wanted].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.start - b.start))
  const groups: Wanted[][] = []
  let last: Wanted[] = []
  let end = 0
  for (const one of sorted) {
    const first = last[0]
    const fits = first?.key === one.key && one.start <= end + gapBytesMax && one.end - first.start <= mergedBytesMax
    if (fits) last.push(one)
    else {
      last = [one]
      groups.push(last)
      end = 0
    }
    end = Math.max(end, one.end)
  }
  return groups
}
