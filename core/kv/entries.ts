/**
 * Keys, each with one state, by numbers from 0 on: they and their rows in an arena, where they lie in one array. Who puts another state
 * in a key's place overwrites where the row lies, never the key nor the row: so a copy of some entries stays what it was.
 */
import type { KeyState, RunRecord } from '../format/run/block.ts'
import { compareText, textOf } from '../format/run/text.ts'
import { lengthOfSpan, type Span } from '../kernel/bytes.ts'
import { Arena } from './arena.ts'

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

export class Entries {
  /** That there is room for. */
  readonly count: number
  readonly #arena: Arena
  readonly #ints: Int32Array
  readonly #places: Float64Array
  readonly #offsets: BigInt64Array

  constructor(count: number, arena = new Arena()) {
    this.count = count
    this.#arena = arena
    this.#ints = new Int32Array(count * entryInts)
    this.#places = new Float64Array(this.#ints.buffer)
    this.#offsets = new BigInt64Array(this.#ints.buffer)
  }

  /** In memory, with keys and rows. */
  get bytes(): number {
    return this.#ints.byteLength + this.#arena.bytes
  }

  /** Of keys and rows. */
  get arenaBytes(): number {
    return this.#arena.bytes
  }

  /** These, with room for more, in the place of these. */
  grown(count: number): Entries {
    const grown = new Entries(count, this.#arena)
    grown.#ints.set(this.#ints)
    return grown
  }

  /** A copy of some, numbered as they come. */
  only(entries: readonly number[]): Entries {
    const own = new Entries(entries.length, this.#arena)
    for (const [at, entry] of entries.entries())
      for (let i = 0; i < entryInts; i++) own.#ints[at * entryInts + i] = this.#ints[entry * entryInts + i] as number
    return own
  }

  /** With room for its key, where `keySpan` says. */
  enter(entry: number, hash: number, keyLength: number): void {
    this.#ints[entry * entryInts + hashAt] = hash
    this.#ints[entry * entryInts + keyLengthAt] = keyLength
    this.#places[entry * entryWords + keyPlaceAt] = this.#arena.reserve(keyLength)
  }

  /** Copies the row. */
  set(entry: number, offset: bigint, schemaId: number, row: Span | undefined): void {
    this.#ints[entry * entryInts + schemaIdAt] = schemaId
    this.#ints[entry * entryInts + rowLengthAt] = row === undefined ? -1 : lengthOfSpan(row)
    this.#places[entry * entryWords + rowPlaceAt] = row === undefined ? 0 : this.#arena.put(row)
    this.#offsets[entry * entryWords + offsetAt] = offset
  }

  hash(entry: number): number {
    return this.#ints[entry * entryInts + hashAt] as number
  }

  offset(entry: number): bigint {
    return this.#offsets[entry * entryWords + offsetAt] as bigint
  }

  schemaId(entry: number): number {
    return this.#ints[entry * entryInts + schemaIdAt] as number
  }

  /** Below zero: deleted. */
  rowLength(entry: number): number {
    return this.#ints[entry * entryInts + rowLengthAt] as number
  }

  #keyLength(entry: number): number {
    return this.#ints[entry * entryInts + keyLengthAt] as number
  }

  #keyPlace(entry: number): number {
    return this.#places[entry * entryWords + keyPlaceAt] as number
  }

  keySpan(entry: number): Span {
    return this.#arena.at(this.#keyPlace(entry), this.#keyLength(entry))
  }

  key(entry: number): string {
    const { bytes, start, end } = this.keySpan(entry)
    return textOf(bytes, start, end)
  }

  row(entry: number): Span | undefined {
    const length = this.rowLength(entry)
    return length < 0 ? undefined : this.#arena.at(this.#places[entry * entryWords + rowPlaceAt] as number, length)
  }

  state(entry: number): KeyState {
    return { offset: this.offset(entry), schemaId: this.schemaId(entry), row: this.row(entry) }
  }

  record(entry: number): RunRecord {
    return { key: this.key(entry), ...this.state(entry) }
  }

  /** Above zero: the entry's key is the greater. */
  compare(entry: number, key: string): number {
    const place = this.#keyPlace(entry)
    const start = Arena.startOf(place)
    return compareText(this.#arena.chunkOf(place), start, start + this.#keyLength(entry), key)
  }

  beginsWith(entry: number, prefix: string): boolean {
    if (this.#keyLength(entry) < prefix.length) return false
    const place = this.#keyPlace(entry)
    const start = Arena.startOf(place)
    return compareText(this.#arena.chunkOf(place), start, start + prefix.length, prefix) === 0
  }
}
