/**
 * What a group's operations do to a bucket, pure: the old rows of their keys go in, the changelog of each request comes out, and the
 * state of each key after it. Each operation sees those before it. A request that cannot be done (`invalid-rows`, `full`) leaves nothing
 * and fails alone. Where a record takes back a row of the same group it says how many records before, because the group's base is not known yet.
 */
import type { KeyState } from '../../format/run/block.ts'
import { isSluiceError, SluiceError } from '../../kernel/errors.ts'
import { limits } from '../../kernel/limits.ts'
import { type ChangeCode, changes } from '../../model/changelog.ts'
import { defaultKeyed, type KeyedOptions } from '../../model/keyed.ts'
import { quoted } from '../../model/nearest.ts'
import type { Schema, Table } from '../../model/table.ts'
import { conformOf } from '../conform.ts'
import { type Change, changesOf } from '../merge/changes.ts'
import { type Draw, type Merger, mergerOf } from '../merge/merger.ts'
import { keyTargets, targetsOf } from '../merge/operation.ts'
import { decodeRow, encodeRow } from '../row.ts'
import type { Row, Value } from '../values.ts'
import type { KeyedRows } from './operations.ts'

export interface ComputeRequest {
  readonly table: Table
  /** In their order. */
  readonly members: readonly Pick<KeyedRows, 'table' | 'operations' | 'targets'>[]
  readonly states: ReadonlyMap<string, KeyState>
  readonly schemaOf: (schemaId: number) => Schema
  /** For each row that is new. */
  readonly draw: Draw
}

export interface Computed {
  /** In the order of the members: records in the columns of the log, or why there are none. */
  readonly members: readonly (readonly Row[] | SluiceError)[]
  /** The keys that changed; offsets count from the group's base. */
  readonly keys: ReadonlyMap<string, KeyState>
  /** Live rows more than before. */
  readonly rows: bigint
}

/** A key as the operations before left it. */
interface Current {
  readonly row: Row | undefined
  /** Of the record that wrote the row: an offset, or, in this group, its place. */
  readonly origin: { readonly offset: bigint } | { readonly index: number }
}

export function computeChanges(request: ComputeRequest): Computed {
  const group = new Group(request)
  const members = request.members.map((member) => group.take(member))
  return { members, ...group.effects() }
}

class Group {
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

  take(member: ComputeRequest['members'][number]): readonly Row[] | SluiceError {
    const changed = new Map<string, Current>()
    const records: Row[] = []
    let rows = 0
    const { table, draw } = this.#request
    const conform = conformOf(member.table.schema, table.schema)
    try {
      const targets = member.targets && (member.targets === 'key' ? keyTargets(table) : targetsOf(table, member.targets))
      for (const operation of member.operations) {
        const before = changed.get(operation.key) ?? this.#current.get(operation.key) ?? this.#oldOf(operation.key)
        const { kind, row } = operation
        const after = this.#merger.merge(before.row, { kind, row: conform(row), ...(targets && { targets }) }, draw)
        if (after !== undefined && after !== before.row) checkSize(table, after)
        const done = changesOf(this.#image, before.row, after)
        if (done.length === 0) continue
        for (const change of done) records.push(this.#record(change, before, this.#records + records.length, done.length))
        rows += Number(after !== undefined) - Number(before.row !== undefined)
        changed.set(operation.key, { row: after, origin: { index: this.#records + records.length - 1 } })
      }
    } catch (error) {
      if (isSluiceError(error) && error.code !== 'internal') return error
      throw error
    }
    for (const [key, current] of changed) this.#current.set(key, current)
    this.#records += records.length
    this.#rows += rows
    return records
  }

  effects(): Pick<Computed, 'keys' | 'rows'> {
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

/** Parts and aggregates add up to rows that no request could bring. */
function checkSize({ schema }: Table, row: Row): void {
  const bytes = row.reduce<number>((sum, value) => sum + sizeOf(value), 0)
  if (bytes <= limits.rowBytesMax) return
  const largest =
    schema.columns[row.reduce<number>((most, value, i) => (sizeOf(value) > sizeOf(row[most] ?? null) ? i : most), 0)]
  throw new SluiceError(
    'invalid-rows',
    `a row would have ${bytes} bytes with what is there, at most ${limits.rowBytesMax} are allowed: its largest column is ${quoted(largest?.name ?? '')}`,
    { facts: { column: largest?.name } },
  )
}

/** In bytes, about. */
const sizeOf = (value: Value): number =>
  value instanceof Uint8Array
    ? value.length
    : Array.isArray(value)
      ? value.reduce<number>((sum, each) => sum + sizeOf(each as Value), 8)
      : 8

const codes: Readonly<Record<Change['kind'], ChangeCode>> = {
  '+I': changes.insert,
  '-U': changes.updateBefore,
  '+U': changes.updateAfter,
  '-D': changes.delete,
}
