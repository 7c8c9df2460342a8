/**
 * ObjectStore: immutable objects by key. Keys are ASCII paths `[A-Za-z0-9._/=%+-]`, at most 512 characters.
 * Errors: `not-found` (absent key), `unavailable` or `throttled` (effect `none` when the store refused,
 * `unknown` when the outcome of a write is not known), `internal` (damage).
 * Implementations pass objects.case.ts.
 */
import type { Pieces } from '../kernel/bytes.ts'

export interface ObjectStore {
  /**
   * Put if absent, durable when it resolves; the bytes must not change before. `created`: the object under this key has exactly these bytes and is
   * ours: a retry of our own write that finds its bytes there answers `created` as well. `exists`: other bytes are there.
   */
  create(key: string, bytes: Pieces): Promise<'created' | 'exists'>
  /** The whole object or bytes [start, end) of it, for the caller to keep and change. A range past the end is an `internal` error, never short. */
  read(key: string, range?: ByteRange): Promise<Uint8Array>
  /**
   * What `read` would bring of one object, range by range, where the store has it at hand and nobody needs to wait; undefined: ask
   * `read`, which also says why.
   */
  readNow?(key: string, ranges: readonly RangeInto[]): readonly (Uint8Array | undefined)[]
  /** Deletes what is there of these keys; absent ones are no error. */
  delete(keys: readonly string[]): Promise<void>
  /** All objects under a prefix in key order, strongly consistent. For sweeps only. */
  list(prefix: string): AsyncIterable<ListedObject>
  /** Where a foreign engine finds the object: `file:///…`, `s3://…`. */
  uri(key: string): string
  /** Unconditional put, only for a lake's version-hint.text. */
  replace(key: string, bytes: Uint8Array): Promise<void>
}

export interface ByteRange {
  readonly start: number
  readonly end: number
}

export interface RangeInto extends ByteRange {
  /** Memory of the caller, as long as the range: the bytes are there then, and it is what comes back. */
  readonly into?: Uint8Array | undefined
}

export interface ListedObject {
  readonly key: string
  readonly bytes: number
}
