/** Records in the order of their keys, some at a time: only what has to be read is waited for, not each record. */
import type { RunRecord } from '../format/run/block.ts'
import { lengthOfSpan } from '../kernel/bytes.ts'
import { mapAtOnce } from '../kernel/parallel.ts'

/** None of the lists is empty. */
export type Sorted = AsyncIterable<readonly RunRecord[]>

const recordsAtOnce = 256
/** What is read beyond what is wanted stays little where rows are large. */
const rowBytesAtOnce = 64 * 1024
const readsAtOnce = 16

interface Source {
  readonly lists: AsyncIterator<readonly RunRecord[]>
  list: readonly RunRecord[]
  /** Of the first record that was not taken; at the list's end: there is none. */
  at: number
}

/** Of a key that several sources have, the record of the first of them. */
export async function* merged(sources: readonly Sorted[]): Sorted {
  const waiting = await mapAtOnce(sources, readsAtOnce, async (each): Promise<Source> => {
    const source: Source = { lists: each[Symbol.asyncIterator](), list: [], at: 0 }
    await refill(source)
    return source
  })
  const list = new List()
  for (;;) {
    let least: RunRecord | undefined
    for (const { list, at } of waiting) {
      const record = list[at]
      if (record !== undefined && (least === undefined || record.key < least.key)) least = record
    }
    if (least === undefined) break
    // Before more is read for what comes behind it.
    if (list.add(least)) yield list.take()
    for (const source of waiting) {
      if (source.list[source.at]?.key !== least.key) continue
      source.at += 1
      if (source.at === source.list.length) await refill(source)
    }
  }
  if (list.size > 0) yield list.take()
}

async function refill(source: Source): Promise<void> {
  const next = await source.lists.next()
  source.list = next.done === true ? [] : next.value
  source.at = 0
}

export async function* inLists(records: Iterable<RunRecord>): Sorted {
  const list = new List()
  for (const record of records) if (list.add(record)) yield list.take()
  if (list.size > 0) yield list.take()
}

class List {
  #records: RunRecord[] = []
  #rowBytes = 0

  get size(): number {
    return this.#records.length
  }

  /** True: it is full. */
  add(record: RunRecord): boolean {
    this.#records.push(record)
    this.#rowBytes += lengthOfSpan(record.row)
    return this.#records.length >= recordsAtOnce || this.#rowBytes >= rowBytesAtOnce
  }

  take(): readonly RunRecord[] {
    const records = this.#records
    this.#records = []
    this.#rowBytes = 0
    return records
  }
}

export async function* filtered(lists: Sorted, isWanted: (record: RunRecord) => boolean): Sorted {
  for await (const list of lists) {
    const wanted = list.filter(isWanted)
    if (wanted.length > 0) yield wanted
  }
}

/** Those that are rows. */
export const live = (lists: Sorted): Sorted => filtered(lists, ({ row }) => row !== undefined)
