/**
 * The newest state of each key, in a few large arrays: no object a key, so that millions are no work of a garbage collector, and what
 * they take is known to the byte. A key is found by a hash whose secret is of this process, so that nobody can choose keys that collide.
 * Bytes that were written are never written again: a row that was given out stays what it was. Who reads in order pays for the order
 * once; from then on only for keys that are new.
 */
import type { KeyState, RunRecord } from '../format/run/block.ts'
import { putText } from '../format/run/text.ts'
import { lengthOfSpan, putBytes, type Span, viewOf } from '../kernel/bytes.ts'
import type { Random } from '../kernel/random.ts'
import { Entries } from './entries.ts'
import { orderOf } from './order.ts'

const slotsMin = 16
/** Replaced rows are left behind when they take more than those that count, and more than this. */
const deadBytesMax = 64 * 1024

/** Of a hash. */
export interface Secret {
  readonly basis: number
  readonly factor: number
}

/** The factor is odd and large whatever the random bytes are: by a small one the letters of a key would hardly be mixed. */
export function secretOf(random: Random): Secret {
  const secret = viewOf(random.bytes(8))
  return { basis: secret.getInt32(0), factor: 0x9e370001 | secret.getUint16(4) }
}

export function hashOf(key: string, { basis, factor }: Secret): number {
  let hash = basis
  for (let i = 0; i < key.length; i++) {
    hash = Math.imul(hash ^ key.charCodeAt(i), factor)
    hash ^= hash >>> 15
  }
  return hash ^ (hash >>> 16)
}

/** As it was when it was made, whatever was put in since. */
export interface Beginning {
  /** Of the prefix at this index, the first live ones in key order. */
  rows(prefix: number): Iterable<RunRecord>
  /** The key has a state. */
  has(key: string): boolean
}

export class KeyStates {
  readonly #secret: Secret
  /** Of an entry, plus 1; 0: free. */
  #slots = new Int32Array(0)
  #entries = new Entries(0)
  #size = 0
  #deadBytes = 0
  /** Of the first entries, as many as it has, by key. Never written again. */
  #order = new Uint32Array(0)

  constructor(secret: Secret) {
    this.#secret = secret
  }

  get size(): number {
    return this.#size
  }

  /** In memory. */
  get bytes(): number {
    return this.#slots.byteLength + this.#entries.bytes + this.#order.byteLength
  }

  get(key: string): KeyState | undefined {
    const entry = this.#find(key, hashOf(key, this.#secret))
    return entry < 0 ? undefined : this.#entries.state(entry)
  }

  /** Copies the row. Undefined: deleted. */
  put(key: string, offset: bigint, schemaId: number, row: Span | undefined): void {
    const hash = hashOf(key, this.#secret)
    let entry = this.#find(key, hash)
    if (entry >= 0) this.#deadBytes += Math.max(0, this.#entries.rowLength(entry))
    else {
      entry = this.#enter(hash, key.length)
      const { bytes, start } = this.#entries.keySpan(entry)
      putText(bytes, start, key)
    }
    this.#entries.set(entry, offset, schemaId, row)
    if (this.#deadBytes > deadBytesMax && 2 * this.#deadBytes > this.#entries.arenaBytes) this.retain(() => true)
  }

  /** Leaves behind what `keeps` does not want, and what was replaced. */
  retain(keeps: (offset: bigint) => boolean): void {
    const next = new KeyStates(this.#secret)
    const entries = this.#entries
    for (let from = 0; from < this.#size; from++) {
      const offset = entries.offset(from)
      if (!keeps(offset)) continue
      const key = entries.keySpan(from)
      const entry = next.#enter(entries.hash(from), lengthOfSpan(key))
      const { bytes, start } = next.#entries.keySpan(entry)
      putBytes(bytes, start, key.bytes, key.start, key.end)
      next.#entries.set(entry, offset, entries.schemaId(from), entries.row(from))
    }
    // Where all are kept they have their numbers.
    if (next.#size < this.#size) this.#order = next.#order
    this.#slots = next.#slots
    this.#entries = next.#entries
    this.#size = next.#size
    this.#deadBytes = 0
  }

  /** Their order is known from here on, and counted in `bytes`. */
  sort(): void {
    const order = this.#order
    if (order.length === this.#size) return
    const more = orderOf((entry) => this.#entries.keySpan(entry), order.length, this.#size)
    if (order.length === 0) {
      this.#order = more
      return
    }
    const both = new Uint32Array(this.#size)
    let from = 0
    for (const [i, entry] of more.entries()) {
      const to = this.#lowerBound(this.#entries.key(entry), from)
      both.set(order.subarray(from, to), from + i)
      both[to + i] = entry
      from = to
    }
    both.set(order.subarray(from), from + more.length)
    this.#order = both
  }

  /** In key order, from the first that is not below `from`. Nothing is put in meanwhile. */
  *sorted(from = ''): Iterable<RunRecord> {
    this.sort()
    for (let at = this.#lowerBound(from); at < this.#size; at++) yield this.#entries.record(this.#order[at] as number)
  }

  /**
   * Of each prefix, of which none begins with another, at most `rowsMax`. `foresee` is told how many live ones there are so far, and
   * refuses too many: nothing is made of them before.
   */
  beginningWith(prefixes: readonly string[], rowsMax: number, foresee: (rows: number) => void = () => undefined): Beginning {
    this.sort()
    const found: number[] = []
    const ends: number[] = []
    for (const prefix of prefixes) {
      const end = found.length + rowsMax
      for (let at = this.#lowerBound(prefix); at < this.#size && found.length < end; at++) {
        const entry = this.#order[at] as number
        if (!this.#entries.beginsWith(entry, prefix)) break
        if (this.#entries.rowLength(entry) >= 0) found.push(entry)
      }
      foresee(found.length)
      ends.push(found.length)
    }
    const live = this.#entries.only(found)
    return { rows: (prefix) => recordsIn(live, ends[prefix - 1] ?? 0, ends[prefix] ?? 0), has: this.#membership() }
  }

  /** What comes later has a greater number, or lies in other arrays. */
  #membership(): (key: string) => boolean {
    const [slots, entries, size, secret] = [this.#slots, this.#entries, this.#size, this.#secret]
    return (key) => {
      const entry = findIn(slots, entries, key, hashOf(key, secret))
      return entry >= 0 && entry < size
    }
  }

  /** Where in the order the first is that is not below `key`, at or behind `from`. */
  #lowerBound(key: string, from = 0): number {
    let low = from
    let high = this.#order.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#entries.compare(this.#order[middle] as number, key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** -1: nowhere. */
  #find(key: string, hash: number): number {
    return findIn(this.#slots, this.#entries, key, hash)
  }

  /** A new one, with room for its key. */
  #enter(hash: number, keyLength: number): number {
    if (this.#size === this.#entries.count) this.#grow()
    const entry = this.#size++
    this.#entries.enter(entry, hash, keyLength)
    this.#link(entry, hash)
    return entry
  }

  #link(entry: number, hash: number): void {
    const mask = this.#slots.length - 1
    let slot = hash & mask
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask
    this.#slots[slot] = entry + 1
  }

  /** At most three quarters of the slots are in use. */
  #grow(): void {
    const slots = Math.max(slotsMin, 2 * this.#slots.length)
    this.#entries = this.#entries.grown((slots / 4) * 3)
    this.#slots = new Int32Array(slots)
    for (let entry = 0; entry < this.#size; entry++) this.#link(entry, this.#entries.hash(entry))
  }
}

function findIn(slots: Int32Array, entries: Entries, key: string, hash: number): number {
  if (slots.length === 0) return -1
  const mask = slots.length - 1
  for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
    const entry = (slots[slot] as number) - 1
    if (entry < 0 || (entries.hash(entry) === hash && entries.compare(entry, key) === 0)) return entry
  }
}

function* recordsIn(entries: Entries, from: number, to: number): Iterable<RunRecord> {
  for (let entry = from; entry < to; entry++) yield entries.record(entry)
}
