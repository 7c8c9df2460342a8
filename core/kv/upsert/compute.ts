/**
 * What a group's operations do to a bucket, pure: the old rows of their keys go in, the changelog of each request comes out, and the
 * state of each key after it. Each operation sees those before it. A request that cannot be done leaves nothing; one that cannot be done
 * in another bucket is undone. Where a record takes back a row of the same group it says how many records before, because the group's
 * base is not known yet. Rows pass through as bytes: only what merges looks at their values.
 */

import { encodeRows } from '../../format/json/encode.ts'
import type { KeyState } from '../../format/run/block.ts'
import { bytesOfSpan, type Span, spanOf, utf8Text } from '../../kernel/bytes.ts'
import { isSluiceError, SluiceError } from '../../kernel/errors.ts'
import { limits } from '../../kernel/limits.ts'
import { type ChangeCode, changes } from '../../model/changelog.ts'
import { defaultKeyed, type KeyedOptions } from '../../model/keyed.ts'
import { quoted } from '../../model/nearest.ts'
import type { Schema, Table } from '../../model/table.ts'
import { conformOf } from '../conform.ts'
import { type ChangeKind, tellChanges } from '../merge/changes.ts'
import { type Draw, type Merger, mergerOf } from '../merge/merger.ts'
import { keyTargets, type Targets, targetsSince } from '../merge/operation.ts'
import type { Room } from '../room.ts'
import { decodeRow, encodeRow } from '../row.ts'
import type { Effects } from '../tail.ts'
import { batchOf, type Row, sizeOf } from '../values.ts'
import type { KeyedRows, Operation } from './operations.ts'

export interface ComputeRequest {
  readonly table: Table
  readonly schemaOf: (schemaId: number) => Schema
  /** Of the changelog. */
  readonly room: Room
  /** For each row that is new. */
  readonly draw: Draw
}

/** A key that a group touches. */
export class Touched {
  readonly key: string
  /** At the end on which the group is computed; undefined: never written. */
  state: KeyState | undefined
  /** As the operations before left it; undefined: none has looked at it. */
  current: Version | undefined

  constructor(key: string) {
    this.key = key
  }
}

/** No object more than one a row: a group has many. */
interface Version {
  readonly row: Span | undefined
  /** Place of the record that wrote the row in this group; `elsewhere`: it stands at `offset`. */
  readonly index: number
  readonly offset: bigint
}

const elsewhere = -1
const unwritten: Version = { row: undefined, index: elsewhere, offset: 0n }

/** Records in the columns of the log, one behind the other: no object each, because a group has many. */
export interface LogRecords {
  /** Their columns of the table. */
  readonly rows: readonly Span[]
  readonly codes: readonly ChangeCode[]
  readonly prevs: readonly (bigint | null)[]
}

export interface Taken {
  readonly records: LogRecords
  /** As if it had never been taken; what was taken after it is undone before. */
  readonly undo: () => void
}

type Member = Pick<KeyedRows, 'table' | 'operations' | 'targets'>

export class BucketChanges {
  readonly #request: ComputeRequest
  readonly #merger: Merger
  readonly #image: KeyedOptions['changelogImage']
  readonly #types: readonly Schema['columns'][number]['type'][]
  readonly #changed = new Set<Touched>()
  #records = 0
  #rows = 0

  constructor(request: ComputeRequest) {
    this.#request = request
    this.#merger = mergerOf(request.table)
    this.#image = (request.table.options.keyed ?? defaultKeyed).changelogImage
    this.#types = request.table.schema.columns.map(({ type }) => type)
  }

  /**
   * One request's operations, on what those before it have left; `touched`: the key of each. Errors: `invalid-rows`, `full`, and that of
   * the room: nothing is taken.
   */
  take(member: Member, touched: readonly Touched[]): Taken {
    const { room } = this.#request
    const changed: Touched[] = []
    const before: (Version | undefined)[] = []
    const records = { rows: [] as Span[], codes: [] as ChangeCode[], prevs: [] as (bigint | null)[] }
    const after = this.#afterOf(member)
    let rows = 0
    let taken = 0
    let at = 0
    let more = 0
    let old: Version = unwritten
    const tell = (kind: ChangeKind, row: Span): void => {
      more += this.#heldBytes(row)
      records.codes.push(codes[kind])
      records.prevs.push(this.#prevOf(kind, old, this.#records + records.rows.length))
      records.rows.push(row)
    }
    const undo = (): void => {
      for (let i = changed.length - 1; i >= 0; i--) (changed[i] as Touched).current = before[i]
      room.give(taken)
    }
    try {
      for (; at < member.operations.length; at++) {
        const operation = member.operations[at] as Operation
        const key = touched[at] as Touched
        const told = records.rows.length
        old = key.current ?? this.#stored(key)
        more = 0
        const next = after(operation, old.row)
        tellChanges(this.#image, old.row, next, tell)
        if (records.rows.length === told) continue
        room.take(more)
        taken += more
        rows += Number(next !== undefined) - Number(old.row !== undefined)
        changed.push(key)
        before.push(key.current)
        key.current = { row: next, index: this.#records + records.rows.length - 1, offset: 0n }
      }
    } catch (error) {
      undo()
      throw withKey(error, member.table, member.operations[at])
    }
    for (const key of changed) this.#changed.add(key)
    this.#records += records.rows.length
    this.#rows += rows
    return {
      records,
      undo: () => {
        undo()
        this.#records -= records.rows.length
        this.#rows -= rows
      },
    }
  }

  effects(): Effects {
    const { schemaId } = this.#request.table.schema
    const keys: Effects['keys'][number][] = []
    for (const { key, current } of this.#changed)
      if (current !== undefined && current.index !== elsewhere)
        keys.push({ key, index: current.index, schemaId, row: current.row })
    return { keys, rows: BigInt(this.#rows) }
  }

  /** What each of a request's operations makes of the row before. */
  #afterOf({ table: own, targets: names }: Member): (operation: Operation, old: Span | undefined) => Span | undefined {
    const { table, draw } = this.#request
    const targets: Targets | undefined = names && (names === 'key' ? keyTargets(table) : targetsSince(own, table, names))
    const ownTypes = own.schema.columns.map(({ type }) => type)
    const conform = conformOf(own.schema, table.schema)
    const isSame = own.schema.schemaId === table.schema.schemaId
    const valuesOf = (row: Span): Row => conform(decodeRow(ownTypes, bytesOfSpan(row)))
    const asked = {
      upsert: { kind: 'upsert', ...(targets && { targets }) },
      delete: { kind: 'delete', ...(targets && { targets }) },
    } as const
    return ({ kind, row }, old) => {
      switch (this.#merger.decide(old !== undefined, asked[kind])) {
        case 'old':
          return old
        case 'gone':
          return undefined
        case 'new':
          return isSame ? row : this.#checked(valuesOf(row))
        case 'merged': {
          const before = old && decodeRow(this.#types, bytesOfSpan(old))
          const merged = this.#merger.merge(before, { ...asked[kind], row: valuesOf(row) }, draw)
          return merged === before ? old : merged && this.#checked(merged)
        }
      }
    }
  }

  #checked(row: Row): Span {
    const encoded = encodeRow(this.#types, row)
    if (encoded.length > limits.rowBytesMax) throw tooLarge(this.#request.table, row, encoded.length)
    return spanOf(encoded)
  }

  /**
   * At `index` of the group. What takes a row back says where that was written: `-U` and `-D`, and a `+U` that stands alone and has a row
   * before it.
   */
  #prevOf(kind: ChangeKind, old: Version, index: number): bigint | null {
    const isRetraction = kind === '-U' || kind === '-D' || (kind === '+U' && this.#image === 'wal' && old.row !== undefined)
    if (!isRetraction) return null
    return old.index === elsewhere ? old.offset : BigInt(old.index - index)
  }

  #heldBytes({ start, end }: Span): number {
    return Math.max(end - start, 8 * this.#types.length)
  }

  /** In the columns of the table at hand. */
  #stored(key: Touched): Version {
    const { state } = key
    const { table, schemaOf } = this.#request
    const offset = state?.offset ?? 0n
    let row = state?.row
    if (row !== undefined && state !== undefined && state.schemaId !== table.schema.schemaId) {
      const schema = schemaOf(state.schemaId)
      const types = schema.columns.map(({ type }) => type)
      const conform = conformOf(schema, table.schema)
      row = spanOf(encodeRow(this.#types, conform(decodeRow(types, bytesOfSpan(row)))))
    }
    return { row, index: elsewhere, offset }
  }
}

/** What an operation cannot do says to which row. */
function withKey(error: unknown, table: Table, operation: Operation | undefined): unknown {
  if (operation === undefined || !isSluiceError(error, 'invalid-rows')) return error
  const key = keyText(table, operation.row)
  return new SluiceError(error.code, `${error.message}, in the row of the key ${key}`, { facts: { ...error.facts, key } })
}

const keyTextMax = 256

/** As JSON, or the beginning of it. */
function keyText({ schema: { columns }, primaryKey = [] }: Table, row: Span): string {
  const values = decodeRow(
    columns.map(({ type }) => type),
    bytesOfSpan(row),
  )
  const own = columns.flatMap((column, i) => (primaryKey.includes(column.name) ? [{ column, value: values[i] ?? null }] : []))
  const fields = own.map(({ column }) => column)
  const text = utf8Text(encodeRows(batchOf(fields, [own.map(({ value }) => value)]), undefined, 'ndjson')).trimEnd()
  return text.length > keyTextMax ? `${text.slice(0, keyTextMax)}…` : text
}

/** Parts and aggregates add up to rows that no request could bring. */
function tooLarge({ schema }: Table, row: Row, bytes: number): SluiceError {
  const largest =
    schema.columns[row.reduce<number>((most, value, i) => (sizeOf(value) > sizeOf(row[most] ?? null) ? i : most), 0)]
  return new SluiceError(
    'invalid-rows',
    `a row would have ${bytes} bytes with what is there, at most ${limits.rowBytesMax} are allowed: its largest column is ${quoted(largest?.name ?? '')}`,
    { facts: { column: largest?.name } },
  )
}

const codes: Readonly<Record<ChangeKind, ChangeCode>> = {
  '+I': changes.insert,
  '-U': changes.updateBefore,
  '+U': changes.updateAfter,
  '-D': changes.delete,
}
