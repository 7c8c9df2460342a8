/** Builders of arrays, maps, rows and vectors, and of the rows of a table: an object whose keys are columns. */

import { utf8, utf8Text } from '../../kernel/bytes.ts'
import { quoted, suggestion } from '../../model/nearest.ts'
import type { DataType } from '../../model/types.ts'
import type { Budget } from '../arrow/budget.ts'
import type { ColumnData, Field } from '../arrow/column.ts'
import { childFields } from '../arrow/layout.ts'
import { Builder, grownWords } from './builder.ts'
import {
  BigintBuilder,
  BooleanBuilder,
  DateBuilder,
  DecimalBuilder,
  FloatBuilder,
  IntBuilder,
  MomentBuilder,
  TextBuilder,
} from './scalar-builders.ts'
import {
  expectByte,
  inField,
  nextOrClose,
  passNull,
  peek,
  placeOf,
  problem,
  RowProblem,
  readText,
  type Source,
  skipValue,
} from './source.ts'

type Parts = Pick<ColumnData, 'offsets' | 'values' | 'children'>

export function builderOf(type: DataType, budget: Budget): Builder {
  switch (type.kind) {
    case 'boolean':
      return new BooleanBuilder(type, budget)
    case 'tinyint':
    case 'smallint':
    case 'int':
      return new IntBuilder(type, budget)
    case 'bigint':
      return new BigintBuilder(type, budget)
    case 'float':
    case 'double':
      return new FloatBuilder(type, budget)
    case 'decimal':
      return new DecimalBuilder(type, budget)
    case 'string':
    case 'binary':
      return new TextBuilder(type, budget)
    case 'date':
      return new DateBuilder(type, budget)
    case 'time':
    case 'timestamp':
    case 'timestamp_ltz':
      return new MomentBuilder(type, budget)
    case 'array':
      return new ArrayBuilder(type, budget)
    case 'map':
      return new MapBuilder(type, budget)
    case 'row':
      return new RowBuilder(type, budget)
    case 'vector':
      return new VectorBuilder(type, budget)
  }
}

/** Offsets over children; `[…]` in the text. */
abstract class ListBuilder extends Builder {
  protected readonly children: readonly Builder[]
  #offsets = new Int32Array(16)
  constructor(type: DataType, budget: Budget) {
    super(type, budget)
    this.children = childFields(type).map((child) => builderOf(child.type, budget))
  }
  protected abstract readElement(source: Source): void
  read(source: Source): void {
    if (source.bytes[source.at] !== 0x5b) throw problem(source, 'an array is expected here')
    source.at++
    if (peek(source) === 0x5d) source.at++
    else {
      do {
        peek(source)
        this.readElement(source)
      } while (nextOrClose(source, 0x5d))
    }
    const row = this.rows + 1
    if (row >= this.#offsets.length) this.#offsets = grownWords(this.#offsets, row + 1, this.budget)
    this.#offsets[row] = this.children[0]?.rows ?? 0
    this.appended()
  }
  protected appendZeros(count: number): void {
    const end = this.rows + count + 1
    if (end > this.#offsets.length) this.#offsets = grownWords(this.#offsets, end, this.budget)
    this.#offsets.fill(this.children[0]?.rows ?? 0, this.rows + 1, end)
  }
  protected parts(): Parts {
    return {
      offsets: this.#offsets.subarray(0, this.rows + 1),
      values: undefined,
      children: this.children.map((child) => child.finish()),
    }
  }
}

class ArrayBuilder extends ListBuilder {
  protected readElement(source: Source): void {
    const [element] = this.children
    if (passNull(source)) element?.appendNulls(1)
    else element?.read(source)
  }
}

/** `[[key, value], …]` */
class MapBuilder extends ListBuilder {
  protected readElement(source: Source): void {
    const [key, value] = this.children
    if (source.bytes[source.at] !== 0x5b) throw problem(source, 'a pair [key, value] is expected here')
    source.at++
    if (peek(source) === 0x6e) throw problem(source, 'a map key is not null')
    key?.read(source)
    expectByte(source, 0x2c)
    peek(source)
    if (passNull(source)) value?.appendNulls(1)
    else value?.read(source)
    expectByte(source, 0x5d)
  }
}

class VectorBuilder extends Builder {
  readonly #elements: FloatBuilder
  readonly #dimension: number
  constructor(type: Extract<DataType, { kind: 'vector' }>, budget: Budget) {
    super(type, budget)
    this.#elements = new FloatBuilder({ kind: 'float' }, budget)
    this.#dimension = type.dimension
  }
  read(source: Source): void {
    const start = source.at
    const before = this.#elements.rows
    expectByte(source, 0x5b)
    if (peek(source) !== 0x5d) {
      do {
        peek(source)
        this.#elements.read(source)
      } while (nextOrClose(source, 0x5d))
    }
    const length = this.#elements.rows - before
    if (length !== this.#dimension) throw problem(source, `a vector has ${this.#dimension} elements, this one ${length}`, start)
    this.appended()
  }
  /** The elements of null vectors are zero, not null. */
  protected appendZeros(count: number): void {
    this.#elements.appendZeroValues(count * this.#dimension)
  }
  protected parts(): Parts {
    return { offsets: undefined, values: undefined, children: [this.#elements.finish()] }
  }
}

class RowBuilder extends Builder {
  readonly #fields: ObjectReader
  constructor(type: Extract<DataType, { kind: 'row' }>, budget: Budget) {
    super(type, budget)
    this.#fields = new ObjectReader(childFields(type), budget, { ignored: [], formerNames: {} })
  }
  read(source: Source): void {
    this.#fields.read(source, this.rows)
    this.appended()
  }
  protected appendZeros(): void {}
  protected parts(): Parts {
    return { offsets: undefined, values: undefined, children: this.#fields.finish(this.rows) }
  }
}

/**
 * Objects, one a row, whose keys are fields. The order of keys in the last object is expected in the next, so that most keys
 * are compared and never looked up.
 */
export class ObjectReader {
  readonly #fields: readonly Field[]
  readonly #builders: readonly Builder[]
  readonly #keys: readonly Uint8Array[]
  /** Of each key, the field that it is, or a number past them for one that is ignored. */
  readonly #slots: readonly number[]
  readonly #byName: ReadonlyMap<string, number>
  readonly #required: readonly number[]
  /** The row in which each slot was last filled, from 1. */
  readonly #seen: Int32Array
  /** The key that is expected at each position. */
  readonly #order: number[] = []

  constructor(fields: readonly Field[], budget: Budget, others: OtherKeys) {
    const { keys, slots, byName, required } = keysOf(fields, others)
    this.#fields = fields
    this.#builders = fields.map((field) => builderOf(field.type, budget))
    this.#keys = keys
    this.#slots = slots
    this.#byName = byName
    this.#required = required
    this.#seen = new Int32Array(keys.length)
  }

  /** Reads the object that stands here as row `row`, from 0, one after the other. */
  read(source: Source, row: number): void {
    const start = source.at
    if (source.bytes[start] !== 0x7b) throw problem(source, 'an object is expected here')
    source.at++
    if (peek(source) === 0x7d) source.at++
    else {
      let position = 0
      do {
        const key = this.#readKey(source, position++)
        const slot = this.#slots[key] as number
        if (this.#seen[slot] === row + 1)
          throw problem(source, `the key ${quoted(utf8Text(this.#keys[key] as Uint8Array).slice(1, -2))} comes twice`)
        this.#seen[slot] = row + 1
        peek(source)
        this.#readValue(source, slot, row)
      } while (nextOrClose(source, 0x7d))
    }
    for (let i = 0; i < this.#required.length; i++) {
      const key = this.#required[i] as number
      if (this.#seen[key] !== row + 1) throw this.#nullProblem(source, key, start)
    }
  }

  finish(rows: number): readonly ColumnData[] {
    for (const builder of this.#builders) if (builder.rows < rows) builder.appendNulls(rows - builder.rows)
    return this.#builders.map((builder) => builder.finish())
  }

  #readValue(source: Source, key: number, row: number): void {
    const builder = this.#builders[key]
    if (builder === undefined) return skipValue(source)
    if (builder.rows < row) builder.appendNulls(row - builder.rows)
    if (!passNull(source)) this.#readInto(builder, source, key)
    else if (this.#fields[key]?.nullable === false) throw this.#nullProblem(source, key, source.at - 4)
    else builder.appendNulls(1)
  }

  #readInto(builder: Builder, source: Source, key: number): void {
    try {
      builder.read(source)
    } catch (error) {
      throw inField(error, this.#fields[key]?.name ?? '')
    }
  }

  /** Passes a key and its colon. */
  #readKey(source: Source, position: number): number {
    peek(source)
    const expected = this.#order[position] ?? position
    if (expected < this.#keys.length && passBytes(source, this.#keys[expected] as Uint8Array)) return expected
    const start = source.at
    if (source.bytes[start] !== 0x22) throw problem(source, 'a key is expected here')
    readText(source)
    const name = utf8Text(source.text.subarray(source.from, source.to))
    const found = this.#byName.get(name)
    if (found === undefined) throw unknownKey(source, name, start, this.#byName.keys())
    expectByte(source, 0x3a)
    if (position < this.#keys.length) {
      while (this.#order.length < position) this.#order.push(this.#order.length)
      this.#order[position] = found
    }
    return found
  }

  #nullProblem(source: Source, key: number, at: number): unknown {
    return inField(problem(source, 'it is not nullable, and has no value here', at), this.#fields[key]?.name ?? '')
  }
}

/** Keys that are no field's name: some are passed over, some were a field's name before (by its id; one that is gone is passed over). */
export interface OtherKeys {
  readonly ignored: readonly string[]
  readonly formerNames: Readonly<Record<string, number>>
}

/** What does not change from body to body, kept as long as the table's columns are. */
interface Keys {
  /** Names with quotes and colon, of fields and then of others. */
  readonly keys: readonly Uint8Array[]
  readonly slots: readonly number[]
  readonly byName: ReadonlyMap<string, number>
  /** Fields that are not nullable. */
  readonly required: readonly number[]
}

const known = new WeakMap<readonly Field[], Keys>()

function keysOf(fields: readonly Field[], { ignored, formerNames }: OtherKeys): Keys {
  const before = known.get(fields)
  if (before !== undefined) return before
  const own = new Set(fields.map((field) => field.name))
  const names = [...own, ...[...ignored, ...Object.keys(formerNames)].filter((name) => !own.has(name))]
  const slots = names.map((name, i) => {
    const former = i < fields.length ? -1 : fields.findIndex((field) => field.id === formerNames[name])
    return former < 0 ? i : former
  })
  const made: Keys = {
    keys: names.map((name) => utf8(`${JSON.stringify(name)}:`)),
    slots,
    byName: new Map(names.map((name, i) => [name, i])),
    required: fields.flatMap((field, i) => (field.nullable ? [] : [i])),
  }
  known.set(fields, made)
  return made
}

function passBytes(source: Source, bytes: Uint8Array): boolean {
  const { at } = source
  for (let i = 0; i < bytes.length; i++) if (source.bytes[at + i] !== bytes[i]) return false
  source.at = at + bytes.length
  return true
}

function unknownKey(source: Source, name: string, at: number, names: Iterable<string>): RowProblem {
  const what = `the table has no column ${quoted(name)}${suggestion(name, names)}`
  return new RowProblem('unknown-field', what, placeOf(source.bytes, at), name)
}
