/** All lookups of a client, by table and options: those that are the same gather, and a table is described once for all of them. */
import { tablePath } from '../paths.ts'
import type { RowReader } from '../schema.ts'
import type { Row } from '../values.ts'
import type { Source } from './log.ts'
import { type LookupOptions, Lookups, type LookupTarget, type PrefixOptions, readFound, readFoundLists } from './lookups.ts'

/** A prefix may have a thousand rows. */
const keysMax = { lookup: 128, prefix: 16 }
/** Tables whose columns are kept. */
const readersMax = 1_000

export class LookupPool {
  readonly #readerOf: (source: Source) => RowReader
  readonly #readers = new Map<string, RowReader>()
  readonly #lookups = new Map<string, Lookups<unknown>>()

  /** `readerOf`: a new one. */
  constructor(readerOf: (source: Source) => RowReader) {
    this.#readerOf = readerOf
  }

  lookup(source: Source, key: Row, { columns, stale, insert }: LookupOptions): Promise<Row | undefined> {
    const path = `${tablePath(source.db, source.table)}/lookup`
    return this.#find(source, { path, options: { columns, stale, insert }, keysMax: keysMax.lookup, read: readFound }, key)
  }

  lookupPrefix(source: Source, key: Row, { columns, stale, limit }: PrefixOptions): Promise<readonly Row[]> {
    const path = `${tablePath(source.db, source.table)}/lookup/prefix`
    return this.#find(source, { path, options: { columns, stale, limit }, keysMax: keysMax.prefix, read: readFoundLists }, key)
  }

  #find<T>(source: Source, target: Pick<LookupTarget<T>, 'path' | 'options' | 'keysMax' | 'read'>, key: Row): Promise<T> {
    const name = `${target.path} ${JSON.stringify(target.options)}`
    let lookups = this.#lookups.get(name) as Lookups<T> | undefined
    if (lookups === undefined) {
      const { connection } = source
      lookups = new Lookups({ ...target, connection, reader: this.#reader(source), onIdle: () => this.#lookups.delete(name) })
      this.#lookups.set(name, lookups as Lookups<unknown>)
    }
    return lookups.find(key)
  }

  #reader(source: Source): RowReader {
    const path = tablePath(source.db, source.table)
    const known = this.#readers.get(path) ?? this.#readerOf(source)
    if (this.#readers.size >= readersMax) this.#readers.clear()
    this.#readers.set(path, known)
    return known
  }
}
