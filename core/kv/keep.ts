/**
 * What a reader keeps of the states that it finds, as they come: a row lies in a block of many, so what is kept is a copy, and its bytes
 * are counted before the next block is read.
 */
import type { KeyState } from '../format/run/block.ts'
import { assert, present } from '../kernel/assert.ts'
import { bytesOfSpan, copyOf as copyOfBytes, lengthOfSpan, spanOf } from '../kernel/bytes.ts'
import type { Log } from '../log/log.ts'
import type { Table } from '../model/table.ts'
import { Arena } from './arena.ts'
import { type Conform, conformOf } from './conform.ts'
import type { Room } from './room.ts'
import { decodeRow } from './row.ts'
import { copyOf, type Row, sizeOfAll } from './values.ts'

export interface Keep<T> {
  readonly room: Room
  /** Before the first look at these. */
  readonly learn?: (states: readonly KeyState[]) => Promise<void>
  /** `sought`: which of the keys, or of the prefixes that keys begin with. `bytes`: as the room counts. */
  readonly of: (sought: number, state: KeyState) => { readonly value: T; readonly bytes: number }
  /** Of a live row, as the room counts. */
  readonly rowBytesMin: number
}

/** The states of one attempt, so that another one may begin anew. */
export class Kept<T> {
  readonly #keep: Keep<T>
  #bytes = 0
  #isGivenUp = false

  constructor(keep: Keep<T>) {
    this.#keep = keep
  }

  /** Errors: that of the room. */
  async take(found: readonly (readonly [number, KeyState])[], each: (sought: number, value: T) => void): Promise<void> {
    await this.#keep.learn?.(found.map(([, state]) => state))
    for (const [sought, state] of found) {
      assert(!this.#isGivenUp, 'nothing is kept of an attempt that was given up')
      const { value, bytes } = this.#keep.of(sought, state)
      this.#keep.room.take(bytes)
      this.#bytes += bytes
      each(sought, value)
    }
  }

  /** Errors: that of the room, which so many live rows would never go into. */
  foresee(rows: number): void {
    this.#keep.room.foresee(rows * this.#keep.rowBytesMin)
  }

  giveUp(): void {
    this.#isGivenUp = true
    this.#keep.room.give(this.#bytes)
    this.#bytes = 0
  }
}

/** Only where a key was written, and whether it is there. */
export const keepOffsets = (room: Room): Keep<bigint | undefined> => ({
  room,
  of: (_, { offset, row }) => ({ value: row === undefined ? undefined : offset, bytes: 0 }),
  rowBytesMin: 0,
})

/** Whole states. */
export function keepStates(room: Room): Keep<KeyState> {
  const arena = new Arena()
  return {
    room,
    of: (_, { offset, schemaId, row }) => {
      const bytes = lengthOfSpan(row)
      return { value: { offset, schemaId, row: row && arena.at(arena.put(row), bytes) }, bytes }
    },
    rowBytesMin: 0,
  }
}

/** Its row is no part of larger memory. */
export function ownState<T extends KeyState>(state: T): Omit<T, 'stored'> {
  const { row } = state
  return { ...state, row: row && spanOf(copyOfBytes(row.bytes, row.start, row.end)), stored: undefined }
}

/** What is answered of a row: the columns at `asked`, in that order; absent: all. Counted as often as `timesOf` says. */
export function keepAnswers(
  log: Pick<Log, 'reading'>,
  table: Table,
  {
    room,
    asked,
    timesOf,
  }: { readonly room: Room; readonly asked?: readonly number[]; readonly timesOf: (sought: number) => number },
): Keep<Row | undefined> {
  const decoder = new RowDecoder(log, table)
  const width = asked?.length ?? table.schema.columns.length
  const of = (state: KeyState): { value: Row | undefined; stored: number } => {
    if (state.row === undefined) return { value: undefined, stored: 0 }
    if (asked === undefined) return { value: decoder.decode(ownState(state)), stored: lengthOfSpan(state.row) }
    const row = decoder.decode(state)
    const value = asked.map((index) => copyOf(row[index] ?? null))
    return { value, stored: sizeOfAll(value) }
  }
  return {
    room,
    learn: (states) => decoder.learn(states),
    of: (sought, state) => {
      const { value, stored } = of(state)
      return { value, bytes: value === undefined ? 0 : heldBytes(stored, width) * timesOf(sought) }
    },
    rowBytesMin: heldBytes(0, width),
  }
}

/** Of a row in memory, about, which is something even of no columns or of nulls. */
export const heldBytes = (stored: number, width: number): number => Math.max(stored, 8 * width) + 16

/** Rows of any schema in the columns of the table at hand. */
export class RowDecoder {
  readonly #log: Pick<Log, 'reading'>
  readonly #table: Table
  readonly #forms = new Map<
    number,
    { readonly types: readonly Table['schema']['columns'][number]['type'][]; readonly conform: Conform }
  >()

  constructor(log: Pick<Log, 'reading'>, table: Table) {
    this.#log = log
    this.#table = table
  }

  /** Errors: `changed`. */
  async learn(states: readonly KeyState[]): Promise<void> {
    for (const { schemaId } of states) {
      if (this.#forms.has(schemaId)) continue
      const schema = await this.#log.reading.schemas.ofTable(this.#table, schemaId)
      const types = schema.columns.map(({ type }) => type)
      this.#forms.set(schemaId, { types, conform: conformOf(schema, this.#table.schema) })
    }
  }

  /** Of a state that was learned: its row, a view of what is stored. */
  decode({ schemaId, row }: KeyState): Row {
    const { types, conform } = present(this.#forms.get(schemaId), 'the schema of a row')
    return conform(decodeRow(types, bytesOfSpan(present(row, 'a row that is there'))))
  }
}
