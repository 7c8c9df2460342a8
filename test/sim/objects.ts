/**
 * The strict object store of the simulation: immutable objects, put if absent, one state for all processes.
 * `watch` sees every effect before it happens, so that the checks judge each deletion at the moment it is made.
 */
import { assert } from '../../core/kernel/assert.ts'
import { equalBytes, joined, type Pieces } from '../../core/kernel/bytes.ts'
import { SluiceError } from '../../core/kernel/errors.ts'
import type { ByteRange, ListedObject, ObjectStore } from '../../core/ports/objects.ts'
import { absent, checkKey, checkPrefix, checkRange, outOfRange } from '../../stores/objects/key.ts'
import type { Call } from './fates.ts'
import type { Manner, Network } from './network.ts'
import type { Process } from './process.ts'
import type { Seeded } from './random.ts'

export class ObjectsState {
  readonly objects = new Map<string, Uint8Array>()
  /** Virtual ms at which each object appeared. */
  readonly born = new Map<string, number>()
  readonly #damage: Seeded
  readonly #now: () => number
  onDelete: (key: string) => void = () => {}
  onReplace: (key: string) => void = () => {}

  constructor(damage: Seeded, now: () => number) {
    this.#damage = damage
    this.#now = now
  }

  create(key: string, bytes: Uint8Array): 'created' | 'exists' {
    const there = this.objects.get(key)
    if (there !== undefined) return equalBytes(there, bytes) ? 'created' : 'exists'
    this.#put(key, bytes)
    return 'created'
  }

  replace(key: string, bytes: Uint8Array): void {
    this.onReplace(key)
    this.#put(key, bytes)
  }

  read(key: string, range: ByteRange | undefined, manner: Manner): Uint8Array {
    const bytes = this.objects.get(key)
    if (bytes === undefined) throw absent(key)
    if (range !== undefined && range.end > bytes.length) throw outOfRange(key, range, bytes.length)
    const { start, end } = range ?? { start: 0, end: bytes.length }
    return manner === 'corrupt' ? this.#corrupt(bytes, start, end) : bytes.slice(start, end)
  }

  delete(keys: readonly string[], manner: Manner): void {
    const some = manner === 'partial' ? keys.slice(0, this.#damage.below(keys.length + 1)) : keys
    for (const key of some) {
      if (!this.objects.has(key)) continue
      this.onDelete(key)
      this.objects.delete(key)
      this.born.delete(key)
    }
    if (some.length < keys.length) throw new SluiceError('unavailable', 'some objects were not deleted', { effect: 'partial' })
  }

  list(prefix: string, after: string, limit: number): readonly ListedObject[] {
    const keys: string[] = []
    for (const key of this.objects.keys()) if (key.startsWith(prefix) && key > after) keys.push(key)
    keys.sort()
    return keys.slice(0, limit).map((key) => ({ key, bytes: this.objects.get(key)?.length ?? 0 }))
  }

  #put(key: string, bytes: Uint8Array): void {
    this.objects.set(key, bytes)
    this.born.set(key, this.#now())
  }

  /** One flipped bit, or another range of the same length: one that comes back short is caught by the store's client. */
  #corrupt(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const last = bytes.length - (end - start)
    if (last > 0 && this.#damage.chance(0.6)) {
      const other = this.#damage.pick([Math.min(end, last), Math.max(0, 2 * start - end), this.#damage.below(last + 1)])
      return bytes.slice(other, other + (end - start))
    }
    const out = bytes.slice(start, end)
    const at = this.#damage.below(out.length)
    out[at] = (out[at] ?? 0) ^ (1 << this.#damage.below(8))
    return out
  }
}

const pageSize = 5

export class SimulatedObjects implements ObjectStore {
  readonly #from: Process
  readonly #network: Network
  readonly #state: ObjectsState

  constructor(from: Process, network: Network, state: ObjectsState) {
    this.#from = from
    this.#network = network
    this.#state = state
  }

  async create(key: string, bytes: Pieces): Promise<'created' | 'exists'> {
    checkKey(key)
    const sent = joined(bytes).slice()
    return this.#call('create', key, { writes: true }, () => this.#state.create(key, sent))
  }

  async read(key: string, range?: ByteRange): Promise<Uint8Array> {
    checkKey(key)
    if (range !== undefined) checkRange(key, range)
    const name = range === undefined ? key : `${key}[${range.start},${range.end})`
    // Only what the log wrote carries checksums of ours on every byte.
    return this.#call('read', name, { mayBeCorrupt: key.startsWith('t/') }, (manner) => this.#state.read(key, range, manner))
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) checkKey(key)
    assert(keys.length <= 1_000, 'at most 1,000 keys are deleted in one request', { keys: keys.length })
    if (keys.length === 0) return
    const sent = [...keys]
    const name = `${sent[0]} and ${sent.length - 1} more`
    await this.#call('delete', name, { writes: true, mayBePartial: true }, (manner) => this.#state.delete(sent, manner))
  }

  async *list(prefix: string): AsyncIterable<ListedObject> {
    checkPrefix(prefix)
    let after = ''
    for (;;) {
      const from = after
      const page = await this.#call('list', `${prefix} after ${from}`, {}, () => this.#state.list(prefix, from, pageSize))
      yield* page
      const last = page.at(-1)
      if (last === undefined || page.length < pageSize) return
      after = last.key
    }
  }

  uri(key: string): string {
    checkKey(key)
    return `sim://store/${key}`
  }

  async replace(key: string, bytes: Uint8Array): Promise<void> {
    checkKey(key)
    const sent = bytes.slice()
    await this.#call('replace', key, { writes: true }, () => this.#state.replace(key, sent))
  }

  #call<T>(operation: string, name: string, traits: Partial<Call>, effect: (manner: Manner) => T): Promise<T> {
    return this.#network.call(this.#from, { store: 'objects', operation, name, ...traitsNone, ...traits }, effect)
  }
}

const traitsNone = { writes: false, mayBeStale: false, mayBeCorrupt: false, mayBePartial: false }
