/**
 * ObjectStore in memory, for tests and the simulation: no timers, no randomness, copies in and copies out.
 * Stricter than a real store: every key and range is checked, and a caller that changes its bytes later changes nothing here.
 */
import { equalBytes, joined, type Pieces } from '../../core/kernel/bytes.ts'
import type { ByteRange, ListedObject, ObjectStore } from '../../core/ports/objects.ts'
import { absent, checkKey, checkPrefix, checkRange, outOfRange } from './key.ts'

export class MemoryObjects implements ObjectStore {
  readonly #objects = new Map<string, Uint8Array>()

  async create(key: string, bytes: Pieces): Promise<'created' | 'exists'> {
    checkKey(key)
    const old = this.#objects.get(key)
    if (old !== undefined) return equalBytes(old, joined(bytes)) ? 'created' : 'exists'
    this.#objects.set(key, joined(bytes).slice()) // COMMIT POINT
    return 'created'
  }

  async read(key: string, range?: ByteRange): Promise<Uint8Array> {
    checkKey(key)
    if (range !== undefined) checkRange(key, range)
    const bytes = this.#objects.get(key)
    if (bytes === undefined) throw absent(key)
    if (range === undefined) return bytes.slice()
    if (range.end > bytes.length) throw outOfRange(key, range, bytes.length)
    return bytes.slice(range.start, range.end)
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) checkKey(key)
    for (const key of keys) this.#objects.delete(key)
  }

  async *list(prefix: string): AsyncIterable<ListedObject> {
    checkPrefix(prefix)
    const keys = [...this.#objects.keys()].filter((key) => key.startsWith(prefix)).sort()
    for (const key of keys) {
      const bytes = this.#objects.get(key)
      if (bytes !== undefined) yield { key, bytes: bytes.length }
    }
  }

  uri(key: string): string {
    checkKey(key)
    return `memory:///${key}`
  }

  async replace(key: string, bytes: Uint8Array): Promise<void> {
    checkKey(key)
    this.#objects.set(key, bytes.slice())
  }
}
