/**
 * Requests to a table's groups: partitions by their names, opened first; one batcher a table; an answer for every part. A partition
 * that turns out to have been dropped took nothing of the part, so another one of that name may take it.
 */
import { present } from '../../kernel/assert.ts'
import { isSluiceError } from '../../kernel/errors.ts'
import type { Partition } from '../../model/partition.ts'
import type { Table } from '../../model/table.ts'
import type { Partitions } from '../partitions.ts'
import type { BucketAppended, Producer } from '../types.ts'
import type { Batcher, Sized, Waiting } from './batcher.ts'

/** Rows for one bucket; the partition by its name. */
export interface NamedPart extends Sized {
  readonly partition: string
  readonly bucket: number
}

/** With the partition that is meant by its name now. */
export type Placed<P extends NamedPart> = Omit<P, 'partition'> & { readonly partition: Partition }

export interface AppenderParts<P extends NamedPart> {
  readonly partitions: Partitions
  /** Settles every waiting request of its group and never throws. */
  readonly run: (table: Table, group: readonly Waiting<Placed<P>>[]) => Promise<void>
  readonly batcher: (run: (group: readonly Waiting<Placed<P>>[]) => Promise<void>) => Batcher<Placed<P>>
}

export class Appender<P extends NamedPart> {
  readonly #parts: AppenderParts<P>
  readonly #tables = new Map<string, { table: Table; readonly batcher: Batcher<Placed<P>> }>()

  constructor(parts: AppenderParts<P>) {
    this.#parts = parts
  }

  /** An answer for every part, in the order of `rows`. Throws only where nothing was attempted (`throttled`). */
  async append(table: Table, rows: readonly P[], producer: Producer | undefined): Promise<readonly BucketAppended[]> {
    const appended = await this.#submit(table, rows, producer)
    const stale = appended.flatMap((answer, part) => (isOfDroppedPartition(answer) ? [part] : []))
    if (stale.length === 0) return appended
    const answers = [...appended]
    for (const part of stale) this.#parts.partitions.forget(table, rows[part]?.partition ?? '')
    const again = await this.#submitAgain(table, pick(rows, stale), producer)
    for (const [i, part] of stale.entries()) answers[part] = present(again[i], 'an answer for every part')
    return answers
  }

  /** Refused as a whole, each of its parts is: others of the request may be done. */
  async #submitAgain(table: Table, rows: readonly P[], producer: Producer | undefined): Promise<readonly BucketAppended[]> {
    return this.#submit(table, rows, producer).catch((error: unknown) => {
      if (isSluiceError(error))
        return rows.map(({ partition, bucket }) => ({ partition, bucket, outcome: { done: false, error } }))
      throw error
    })
  }

  async #submit(table: Table, rows: readonly P[], producer: Producer | undefined): Promise<readonly BucketAppended[]> {
    const partitions = await this.#parts.partitions.open(table, new Set(rows.map(({ partition }) => partition)))
    const parts = rows.map(
      (row): Placed<P> => ({ ...row, partition: present(partitions.get(row.partition), 'an opened partition') }),
    )
    return this.#batcher(table).submit(parts, producer)
  }

  /** The newest state of a table that a caller brought serves the groups from then on. */
  #batcher(table: Table): Batcher<Placed<P>> {
    const found = this.#tables.get(table.tableId)
    if (found !== undefined) {
      found.table = table
      return found.batcher
    }
    for (const [id, { batcher }] of this.#tables) if (batcher.idle) this.#tables.delete(id)
    const run = (group: readonly Waiting<Placed<P>>[]): Promise<void> => this.#parts.run(entry.table, group)
    const entry: { table: Table; readonly batcher: Batcher<Placed<P>> } = { table, batcher: this.#parts.batcher(run) }
    this.#tables.set(table.tableId, entry)
    return entry.batcher
  }
}

/** Its heads were closed, so nothing of the part happened. */
const isOfDroppedPartition = ({ partition, outcome }: BucketAppended): boolean =>
  partition !== '' && !outcome.done && outcome.error.code === 'not-found' && outcome.error.effect === 'none'

const pick = <T>(all: readonly T[], indices: readonly number[]): readonly T[] =>
  indices.map((index) => present(all[index], 'a part'))
