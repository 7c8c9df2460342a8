/**
 * What a process keeps of snapshots, under one budget of bytes: manifests, metas, blocks and tails of scans, those longest unused leave
 * first, and none is kept that takes more than half. What is pinned elsewhere (changelog tails) takes of the same budget. All that is
 * kept here is immutable, so nothing kept is ever wrong. Who asks for what another is reading waits for that. Memory of blocks that are
 * borrowed is let go once they have left and were given back, instead of waiting for a collector; what was not only borrowed is left to
 * that.
 */
import { giveBack, type Memory } from '../log/read/memory.ts'

export class KvCache {
  readonly #bytesMax: number
  readonly #byId = new Map<string, { readonly value: unknown; readonly kept: Kept }>()
  /** In the order of their last use. */
  readonly #order = new Set<Kept>()
  readonly #reading = new Map<string, { readonly reading: Reading; readonly index: number }>()
  /** Before the one longest unused: all behind it left or moved to the end. One begun anew would pass over all that ever left. */
  #oldest = this.#order.values()
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
    const found = this.#find(id)
    // Whoever does not say how long is left it for good.
    if (found?.kept.memory !== undefined) found.kept.memory.uses++
    return found?.value as T | undefined
  }

  /** Until it is given back. Undefined: it has to be read. */
  borrow<T>(id: string): Borrowed<T> | undefined {
    const found = this.#find(id)
    if (found === undefined) return undefined
    const { memory } = found.kept
    if (memory !== undefined) memory.uses++
    return { value: found.value as T, giveBack: () => memory && giveBack(memory) }
  }

  isReading(id: string): boolean {
    return this.#reading.has(id)
  }

  /** `read` says how many bytes its value holds. One id is one kind of value. */
  async get<T>(id: string, read: () => Promise<Read<T>>): Promise<T> {
    const kept = this.peek<T>(id)
    if (kept !== undefined) return kept
    const found = this.#reading.get(id)
    if (found === undefined) return (await this.borrowAll([id], async () => valuesOf(await read()))).value[0] as T
    found.reading.isShared = true
    return (await found.reading.values)[found.index] as T
  }

  /** Values that lie in one memory, and so leave together. */
  async borrowAll<T>(
    ids: readonly string[],
    read: () => Promise<{ readonly values: readonly T[]; readonly bytes: number; readonly memory?: Memory }>,
  ): Promise<Borrowed<readonly T[]>> {
    const done = read()
    const reading: Reading = { values: done.then(({ values }) => values), isShared: false }
    reading.values.catch(() => undefined)
    for (const [index, id] of ids.entries()) this.#reading.set(id, { reading, index })
    const forget = (): void => {
      for (const id of ids) if (this.#reading.get(id)?.reading === reading) this.#reading.delete(id)
    }
    const { values, bytes, memory } = await done.catch((error: unknown) => {
      forget()
      throw error
    })
    // at once, so that nobody begins to wait in between
    forget()
    if (memory !== undefined) memory.uses += reading.isShared ? 2 : 1
    this.#keep({ ids, bytes: bytes + ids.length * perEntryBytes, memory }, values)
    return { value: values, giveBack: () => memory && giveBack(memory) }
  }

  #find(id: string): { readonly value: unknown; readonly kept: Kept } | undefined {
    const found = this.#byId.get(id)
    if (found === undefined) return undefined
    this.#order.delete(found.kept)
    this.#order.add(found.kept)
    return found
  }

  #keep(kept: Kept, values: readonly unknown[]): void {
    if (kept.bytes > this.#bytesMax / 2 || kept.ids.some((id) => this.#byId.has(id))) return
    for (const [i, id] of kept.ids.entries()) this.#byId.set(id, { value: values[i], kept })
    this.#order.add(kept)
    this.#keptBytes += kept.bytes
    if (kept.memory !== undefined) kept.memory.uses++
    this.#shrink()
  }

  #shrink(): void {
    while (this.#keptBytes + this.#pinnedBytes > this.#bytesMax && this.#order.size > 0) {
      const { done, value: kept } = this.#oldest.next()
      if (done === true) {
        this.#oldest = this.#order.values()
        continue
      }
      this.#order.delete(kept)
      for (const id of kept.ids) this.#byId.delete(id)
      this.#keptBytes -= kept.bytes
      if (kept.memory !== undefined) giveBack(kept.memory)
    }
  }
}

export interface Borrowed<T> {
  readonly value: T
  /** It is empty then, unless others have it. */
  readonly giveBack: () => void
}

/** `memory`: that the value alone is in, to be let go with its last user. */
interface Read<T> {
  readonly value: T
  readonly bytes: number
  readonly memory?: Memory
}

const valuesOf = <T>({ value, ...rest }: Read<T>) => ({ values: [value], ...rest })

/** Values of one read. */
interface Kept {
  readonly ids: readonly string[]
  readonly bytes: number
  readonly memory: Memory | undefined
}

interface Reading {
  readonly values: Promise<readonly unknown[]>
  /** Somebody else waits for it. */
  isShared: boolean
}

/** What a value costs besides its bytes, about. */
const perEntryBytes = 256
