/**
 * What a process keeps of snapshots, under one budget of bytes: manifests, metas and blocks, those longest unused leave first. What is
 * pinned elsewhere (changelog tails) takes of the same budget. All that is kept here is immutable, so nothing kept is ever wrong.
 * Who asks for what another is reading waits for that.
 */
export class KvCache {
  readonly #bytesMax: number
  readonly #kept = new Map<string, { readonly value: unknown; readonly bytes: number }>()
  readonly #reading = new Map<string, Promise<unknown>>()
  /** Before the one longest unused: all behind it left or moved to the end. One begun anew would pass over all that ever left. */
  #oldest = this.#kept.entries()
  #keptBytes = 0
  #pinnedBytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get bytesMax(): number {
    return this.#bytesMax
  }

  get keptBytes(): number {
    return this.#keptBytes
  }

  get pinnedBytes(): number {
    return this.#pinnedBytes
  }

  pin(bytes: number): void {
    this.#pinnedBytes += bytes
    this.#shrink()
  }

  /** Undefined: it has to be read. */
  peek<T>(id: string): T | undefined {
    const found = this.#kept.get(id)
    if (found === undefined) return undefined
    this.#kept.delete(id)
    this.#kept.set(id, found)
    return found.value as T
  }

  /** `read` says how many bytes its value holds. One id is one kind of value. */
  async get<T>(id: string, read: () => Promise<{ readonly value: T; readonly bytes: number }>): Promise<T> {
    const found = this.peek<T>(id) ?? (this.#reading.get(id) as Promise<T> | undefined)
    if (found !== undefined) return found
    const reading = read().then(({ value, bytes }) => {
      this.#keep(id, value, bytes + perEntryBytes)
      return value
    })
    this.#reading.set(id, reading)
    try {
      return await reading
    } finally {
      this.#reading.delete(id)
    }
  }

  #keep(id: string, value: unknown, bytes: number): void {
    if (bytes > this.#bytesMax / 4 || this.#kept.has(id)) return
    this.#kept.set(id, { value, bytes })
    this.#keptBytes += bytes
    this.#shrink()
  }

  #shrink(): void {
    while (this.#keptBytes + this.#pinnedBytes > this.#bytesMax && this.#kept.size > 0) {
      const { done, value } = this.#oldest.next()
      if (done === true) {
        this.#oldest = this.#kept.entries()
        continue
      }
      const [id, { bytes }] = value
      this.#kept.delete(id)
      this.#keptBytes -= bytes
    }
  }
}

/** What an entry costs besides its bytes, about. */
const perEntryBytes = 256
