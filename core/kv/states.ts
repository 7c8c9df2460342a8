/**
 * The newest state of each key, in a few large arrays: no object a key, so that millions are no work of a garbage collector, and what
 * they take is known to the byte. A key is found by a hash whose secret is of this process, so that nobody can choose keys that collide.
 * Bytes that were written are never written again: a row that was given out stays what it was.
 */
import type { KeyState, RunRecord } from '../format/run/block.ts'
import { compareText, putText, textOf } from '../format/run/text.ts'
import { lengthOfSpan, putBytes, type Span, viewOf } from '../kernel/bytes.ts'
import type { Random } from '../kernel/random.ts'
import { Arena } from './arena.ts'

const slotsMin = 16
/**
 * An entry lies together, so that a look at it is one look into memory: hash, length of key, schema, length of row (-1: deleted), places
 * of key and row, offset.
 */
const entryInts = 10
const entryWords = entryInts / 2
const hashAt = 0
const keyLengthAt = 1
const schemaIdAt = 2
const rowLengthAt = 3
const keyPlaceAt = 2
const rowPlaceAt = 3
const offsetAt = 4
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

export class KeyStates {
  readonly #secret: Secret
  /** Of an entry, plus 1; 0: free. */
  #slots = new Int32Array(0)
  #entries = new Entries(0)
  #size = 0
  /** Keys and rows. */
  #arena = new Arena()
  #deadBytes = 0

  constructor(secret: Secret) {
    this.#secret = secret
  }

  get size(): number {
    return this.#size
  }

  /** In memory. */
  get bytes(): number {
    return 4 * this.#slots.length + this.#entries.bytes + this.#arena.bytes
  }

  get(key: string): KeyState | undefined {
    const entry = this.#find(key, hashOf(key, this.#secret))
    return entry < 0 ? undefined : this.#stateAt(entry)
  }

  /** Copies the row. Undefined: deleted. */
  put(key: string, offset: bigint, schemaId: number, row: Span | undefined): void {
    const hash = hashOf(key, this.#secret)
    let entry = this.#find(key, hash)
    if (entry >= 0) this.#deadBytes += Math.max(0, this.#entries.rowLength(entry))
    else {
      entry = this.#enter(hash, key.length)
      const place = this.#entries.keyPlace(entry)
      putText(this.#arena.chunkOf(place), Arena.startOf(place), key)
    }
    this.#set(entry, offset, schemaId, row)
    if (this.#deadBytes > deadBytesMax && 2 * this.#deadBytes > this.#arena.bytes) this.retain(() => true)
  }

  /** Leaves behind what `keeps` does not want, and what was replaced. */
  retain(keeps: (offset: bigint) => boolean): void {
    const next = new KeyStates(this.#secret)
    const entries = this.#entries
    for (let from = 0; from < this.#size; from++) {
      const offset = entries.offset(from)
      if (!keeps(offset)) continue
      const { bytes, start, end } = this.#keySpan(from)
      const entry = next.#enter(entries.hash(from), end - start)
      const place = next.#entries.keyPlace(entry)
      putBytes(next.#arena.chunkOf(place), Arena.startOf(place), bytes, start, end)
      next.#set(entry, offset, entries.schemaId(from), this.#rowAt(from))
    }
    this.#slots = next.#slots
    this.#entries = next.#entries
    this.#size = next.#size
    this.#arena = next.#arena
    this.#deadBytes = 0
  }

  /** In key order, from the first that is not below `from`. */
  *sorted(from = ''): Iterable<RunRecord> {
    const order: number[] = []
    for (let entry = 0; entry < this.#size; entry++) if (this.#compare(entry, from) >= 0) order.push(entry)
    const heads = this.#headsOf(order)
    order.sort((a, b) => (heads[a] as number) - (heads[b] as number) || this.#compare(a, this.#keyAt(b)))
    for (const entry of order) yield this.#recordAt(entry)
  }

  /** By entry, the six bytes of its key behind what the keys of all begin with: numbers are compared sooner than keys. */
  #headsOf(order: readonly number[]): Float64Array {
    const first = this.#keySpan(order[0] ?? 0)
    let shared = lengthOfSpan(first)
    for (const entry of order) {
      const { bytes, start, end } = this.#keySpan(entry)
      let same = 0
      while (same < shared && start + same < end && bytes[start + same] === first.bytes[first.start + same]) same++
      shared = same
    }
    const heads = new Float64Array(this.#size)
    for (const entry of order) {
      const { bytes, start, end } = this.#keySpan(entry)
      let head = 0
      for (let at = start + shared; at < start + shared + 6; at++) head = head * 256 + (at < end ? (bytes[at] as number) : 0)
      heads[entry] = head
    }
    return heads
  }

  /** By prefix, in key order. `sorted`: prefixes of which none begins with another. */
  beginningWith(sorted: readonly string[]): ReadonlyMap<string, readonly RunRecord[]> {
    const found = new Map(sorted.map((prefix): [string, RunRecord[]] => [prefix, []]))
    for (let entry = 0; entry < this.#size; entry++) {
      const prefix = this.#greatestUpTo(sorted, entry)
      if (prefix !== undefined && this.#beginsWith(entry, prefix)) found.get(prefix)?.push(this.#recordAt(entry))
    }
    for (const own of found.values()) own.sort((a, b) => (a.key < b.key ? -1 : 1))
    return found
  }

  #greatestUpTo(sorted: readonly string[], entry: number): string | undefined {
    let low = 0
    let high = sorted.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#compare(entry, sorted[middle] as string) >= 0) low = middle + 1
      else high = middle
    }
    return sorted[low - 1]
  }

  #beginsWith(entry: number, prefix: string): boolean {
    const { bytes, start, end } = this.#keySpan(entry)
    return end - start >= prefix.length && compareText(bytes, start, start + prefix.length, prefix) === 0
  }

  /** -1: nowhere. */
  #find(key: string, hash: number): number {
    if (this.#size === 0) return -1
    const mask = this.#slots.length - 1
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = (this.#slots[slot] as number) - 1
      if (entry < 0 || (this.#entries.hash(entry) === hash && this.#compare(entry, key) === 0)) return entry
    }
  }

  /** Above zero: the entry's key is the greater. */
  #compare(entry: number, key: string): number {
    const place = this.#entries.keyPlace(entry)
    const at = Arena.startOf(place)
    return compareText(this.#arena.chunkOf(place), at, at + this.#entries.keyLength(entry), key)
  }

  /** A new one, with room for its key. */
  #enter(hash: number, keyLength: number): number {
    if (this.#size === this.#entries.count) this.#grow()
    const entry = this.#size++
    this.#entries.enter(entry, hash, this.#arena.reserve(keyLength), keyLength)
    this.#link(entry, hash)
    return entry
  }

  #set(entry: number, offset: bigint, schemaId: number, row: Span | undefined): void {
    const length = row === undefined ? -1 : lengthOfSpan(row)
    this.#entries.set(entry, offset, schemaId, length, row === undefined ? 0 : this.#arena.put(row))
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
    this.#entries = new Entries((slots / 4) * 3, this.#entries)
    this.#slots = new Int32Array(slots)
    for (let entry = 0; entry < this.#size; entry++) this.#link(entry, this.#entries.hash(entry))
  }

  #keySpan(entry: number): Span {
    return this.#arena.at(this.#entries.keyPlace(entry), this.#entries.keyLength(entry))
  }

  #keyAt(entry: number): string {
    const { bytes, start, end } = this.#keySpan(entry)
    return textOf(bytes, start, end)
  }

  #rowAt(entry: number): Span | undefined {
    const length = this.#entries.rowLength(entry)
    return length < 0 ? undefined : this.#arena.at(this.#entries.rowPlace(entry), length)
  }

  #stateAt(entry: number): KeyState {
    return { offset: this.#entries.offset(entry), schemaId: this.#entries.schemaId(entry), row: this.#rowAt(entry) }
  }

  #recordAt(entry: number): RunRecord {
    return { key: this.#keyAt(entry), ...this.#stateAt(entry) }
  }
}

class Entries {
  readonly count: number
  readonly #ints: Int32Array
  readonly #places: Float64Array
  readonly #offsets: BigInt64Array

  constructor(count: number, before?: Entries) {
    this.count = count
    this.#ints = new Int32Array(count * entryInts)
    if (before !== undefined) this.#ints.set(before.#ints)
    this.#places = new Float64Array(this.#ints.buffer)
    this.#offsets = new BigInt64Array(this.#ints.buffer)
  }

  get bytes(): number {
    return this.#ints.byteLength
  }

  enter(entry: number, hash: number, keyPlace: number, keyLength: number): void {
    this.#ints[entry * entryInts + hashAt] = hash
    this.#ints[entry * entryInts + keyLengthAt] = keyLength
    this.#places[entry * entryWords + keyPlaceAt] = keyPlace
  }

  set(entry: number, offset: bigint, schemaId: number, rowLength: number, rowPlace: number): void {
    this.#ints[entry * entryInts + schemaIdAt] = schemaId
    this.#ints[entry * entryInts + rowLengthAt] = rowLength
    this.#places[entry * entryWords + rowPlaceAt] = rowPlace
    this.#offsets[entry * entryWords + offsetAt] = offset
  }

  hash(entry: number): number {
    return this.#ints[entry * entryInts + hashAt] as number
  }

  keyLength(entry: number): number {
    return this.#ints[entry * entryInts + keyLengthAt] as number
  }

  schemaId(entry: number): number {
    return this.#ints[entry * entryInts + schemaIdAt] as number
  }

  rowLength(entry: number): number {
    return this.#ints[entry * entryInts + rowLengthAt] as number
  }

  keyPlace(entry: number): number {
    return this.#places[entry * entryWords + keyPlaceAt] as number
  }

  rowPlace(entry: number): number {
    return this.#places[entry * entryWords + rowPlaceAt] as number
  }

  offset(entry: number): bigint {
    return this.#offsets[entry * entryWords + offsetAt] as bigint
  }
}
