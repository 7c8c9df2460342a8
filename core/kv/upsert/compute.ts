/**
 * What a group's operations do to a bucket, pure: the old rows of their keys go in, the changelog of each request comes out, and the
 * state of each key after it. Each operation sees those before it. A request that cannot be done leaves nothing; one that cannot be done
 * in another bucket is undone. Where a record takes back a row of the same group it says how many records before, because the group's
 * base is not known yet.
 */
import type { KeyState } from '../../format/run/block.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { limits } from '../../kernel/limits.ts'
import { type ChangeCode, changes } from '../../model/changelog.ts'
import { defaultKeyed, type KeyedOptions } from '../../model/keyed.ts'
import { quoted } from '../../model/nearest.ts'
import type { Schema, Table } from '../../model/table.ts'
import { conformOf } from '../conform.ts'
import { type Change, changesOf } from '../merge/changes.ts'
import { type Draw, type Merger, mergerOf } from '../merge/merger.ts'
import { keyTargets, targetsOf } from '../merge/operation.ts'
import type { Room } from '../room.ts'
import { decodeRow, encodeRow } from '../row.ts'
import type { Effects } from '../tail.ts'
import { type Row, sizeOf, sizeOfAll } from '../values.ts'
import type { KeyedRows } from './operations.ts'

export interface ComputeRequest {
  readonly table: Table
  readonly states: ReadonlyMap<string, KeyState>
  readonly schemaOf: (schemaId: number) => Schema
  /** Of the changelog. */
  readonly room: Room
  /** For each row that is new. */
  readonly draw: Draw
}

export interface Taken {
  /** In the columns of the log. */
  readonly records: readonly Row[]
  /** As if it had never been taken; what was taken after it is undone before. */
  readonly undo: () => void
}

/** A key as the operations before left it. */
interface Current {
  readonly row: Row | undefined
  /** Of the record that wrote the row: an offset, or, in this group, its place. */
  readonly origin: { readonly offset: bigint } | { readonly index: number }
  readonly bytes: number
}

type Member = Pick<KeyedRows, 'table' | 'operations' | 'targets'>

export class BucketChanges {
  readonly #request: ComputeRequest
  readonly #merger: Merger
  readonly #image: KeyedOptions['changelogImage']
  readonly #types: readonly Schema['columns'][number]['type'][]
  readonly #old = new Map<string, Current>()
  readonly #current = new Map<string, Current>()
  #records = 0
  #rows = 0

  constructor(request: ComputeRequest) {
    this.#request = request
    this.#merger = mergerOf(request.table)
    this.#image = (request.table.options.keyed ?? defaultKeyed).changelogImage
    this.#types = request.table.schema.columns.map(({ type }) => type)
  }

  /** One request's operations, on what those before it have left. Errors: `invalid-rows`, `full`, and that of the room: nothing is taken. */
  take(member: Member): Taken {
    const changed = new Map<string, Current>()
    const records: Row[] = []
    const { table, room, draw } = this.#request
    const conform = conformOf(member.table.schema, table.schema)
    const targets = member.targets && (member.targets === 'key' ? keyTargets(table) : targetsOf(table, member.targets))
    let rows = 0
    let taken = 0
    try {
      for (const { key, kind, row } of member.operations) {
        const before = changed.get(key) ?? this.#current.get(key) ?? this.#oldOf(key)
        const after = this.#merger.merge(before.row, { kind, row: conform(row), ...(targets && { targets }) }, draw)
        const done = changesOf(this.#image, before.row, after)
        if (done.length === 0) continue
        const bytes = after === undefined ? 0 : after === before.row ? before.bytes : checkedSize(table, after)
        const more = done.reduce((sum, change) => sum + (change.row === after ? bytes : before.bytes), 0)
        room.take(more)
        taken += more
        for (const change of done) records.push(this.#record(change, before, this.#records + records.length, done.length))
        rows += Number(after !== undefined) - Number(before.row !== undefined)
        changed.set(key, { row: after, origin: { index: this.#records + records.length - 1 }, bytes })
      }
    } catch (error) {
      room.give(taken)
      throw error
    }
    const before = [...changed.keys()].map((key) => [key, this.#current.get(key)] as const)
    for (const [key, current] of changed) this.#current.set(key, current)
    this.#records += records.length
    this.#rows += rows
    const undo = (): void => {
      for (const [key, current] of before) {
        if (current === undefined) this.#current.delete(key)
        else this.#current.set(key, current)
      }
      this.#records -= records.length
      this.#rows -= rows
      room.give(taken)
    }
    return { records, undo }
  }

  effects(): Effects {
    const keys = new Map<string, KeyState>()
    const { schemaId } = this.#request.table.schema
    for (const [key, { row, origin }] of this.#current) {
      const offset = BigInt('index' in origin ? origin.index : 0)
      keys.set(key, { offset, schemaId, row: row === undefined ? undefined : encodeRow(this.#types, row) })
    }
    return { keys, rows: BigInt(this.#rows) }
  }

  #oldOf(key: string): Current {
    const known = this.#old.get(key)
    if (known !== undefined) return known
    const state = this.#request.states.get(key)
    const old = {
      row: state?.row === undefined ? undefined : this.#decode(state, state.row),
      origin: { offset: state?.offset ?? 0n },
      bytes: Math.max(state?.row?.length ?? 0, 8 * this.#types.length),
    }
    this.#old.set(key, old)
    return old
  }

  #decode({ schemaId }: KeyState, bytes: Uint8Array): Row {
    const schema = this.#request.schemaOf(schemaId)
    const row = decodeRow(
      schema.columns.map(({ type }) => type),
      bytes,
    )
    return conformOf(schema, this.#request.table.schema)(row)
  }

  /**
   * At `index` of the group. What takes a row back says where that was written: `-U` and `-D`, and a `+U` that stands alone and has
   * a row before it.
   */
  #record({ kind, row }: Change, before: Current, index: number, count: number): Row {
    const isRetraction = kind === '-U' || kind === '-D' || (kind === '+U' && count === 1 && before.row !== undefined)
    if (!isRetraction) return [...row, codes[kind], null]
    const { origin } = before
    return [...row, codes[kind], 'index' in origin ? BigInt(origin.index - index) : origin.offset]
  }
}

/** In bytes, about. Parts and aggregates add up to rows that no request could bring. */
function checkedSize({ schema }: Table, row: Row): number {
  const bytes = sizeOfAll(row)
  if (bytes <= limits.rowBytesMax) return bytes
  const largest =
    schema.columns[row.reduce<number>((most, value, i) => (sizeOf(value) > sizeOf(row[most] ?? null) ? i : most), 0)]
  throw new SluiceError(
    'invalid-rows',
    `a row would have ${bytes} bytes with what is there, at most ${limits.rowBytesMax} are allowed: its largest column is ${quoted(largest?.name ?? '')}`,
    { facts: { column: largest?.name } },
  )
}

const codes: Readonly<Record<Change['kind'], ChangeCode>> = {
  '+I': changes.insert,
  '-U': changes.updateBefore,
  '+U': changes.updateAfter,
  '-D': changes.delete,
}
