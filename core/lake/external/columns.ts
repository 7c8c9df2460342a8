/**
 * Our columns in an external table, whose field ids are its own. Columns are found by the ids that we noted in a table property,
 * at first by name; a table that is not ours must have them all, with the same types. Later the external schema follows ours:
 * columns are added, renamed, widened; one that we dropped stays, is null from then on, and gives its name to one that wants it. Pure.
 */
import type { Field } from '../../format/arrow/column.ts'
import { SluiceError } from '../../kernel/errors.ts'
import type { Table } from '../../model/table.ts'
import type { DataType } from '../../model/types.ts'
import { type IcebergField, type IcebergType, icebergType, lakeType, systemColumns } from '../iceberg/schema.ts'
import type { ExternalTable } from './answer.ts'

/** Our column ids to the table's field ids, as JSON. */
export const columnsProperty = 'sluice.columns'

export interface ColumnsPlan {
  /** Ours, then the system columns, as data files hold them: with the table's field ids. Empty where the schema must change first. */
  readonly fields: readonly Field[]
  /** Of the whole table, where they must change first. */
  readonly changed: { readonly fields: readonly IcebergField[]; readonly lastColumnId: number } | undefined
  /** What the property must say. */
  readonly mapping: string
}

/** `isOurs`: the table was made by us, or has been written by us. Errors: `invalid-schema`, naming the column. */
export function planColumns(table: Table, external: ExternalTable, isOurs: boolean): ColumnsPlan {
  const noted = notedIn(external)
  const draft = new Draft(external)
  const fields: Field[] = []
  const mapping: Record<string, number> = { ...noted }
  const wanted = [
    ...table.schema.columns.map((column) => ({ ...column, isSystem: false })),
    ...systemColumns.map((column) => ({ ...column, isSystem: true })),
  ]
  const taken = new Set(Object.values(noted ?? {}))
  const known = wanted.flatMap(({ id }) => noted?.[id] ?? [])
  if (new Set(known).size < known.length) throw damaged()
  for (const { id, name, type, nullable, isSystem } of wanted) {
    const found = draft.withId(noted?.[id]) ?? draft.named(name, taken)
    if (found === undefined) {
      if (!isOurs && !isSystem) throw refused(name, 'is not in it: add the column there, or drop it here')
      mapping[id] = draft.add(name, lakeType(type))
      continue
    }
    if (found.required && nullable)
      throw refused(name, 'may be null here and is required there: make it optional there, or not null here')
    const mine = matched(lakeType(type), found.type, name)
    if (mine === undefined) draft.widen(found, type, name)
    else fields.push({ id: found.id, name, type: mine, nullable })
    if (found.name !== name) draft.rename(found.id, name)
    mapping[id] = found.id
  }
  const ours = new Set(wanted.map(({ id }) => mapping[id] as number))
  draft.settleNames(ours, taken)
  for (const field of external.schema.fields) {
    if (!field.required || ours.has(field.id)) continue
    if (!taken.has(field.id)) throw refused(field.name, 'is required there and is not a column here: make it optional there')
    draft.makeOptional(field.id)
  }
  const changed = draft.changed()
  return { fields: changed === undefined ? fields : [], changed, mapping: JSON.stringify(mapping) }
}

function notedIn({ properties }: ExternalTable): Readonly<Record<string, number>> | undefined {
  const text = properties[columnsProperty]
  if (text === undefined) return undefined
  try {
    const value: unknown = JSON.parse(text)
    if (isMapping(value)) return value
  } catch {
    // As below.
  }
  throw damaged()
}

/** What we note has the columns of the system. */
function isMapping(value: unknown): value is Readonly<Record<string, number>> {
  if (typeof value !== 'object' || value === null) return false
  const areNumbers = Object.entries(value).every(([ours, theirs]) => /^[1-9][0-9]*$/.test(ours) && Number.isSafeInteger(theirs))
  return areNumbers && systemColumns.every(({ id }) => Object.hasOwn(value, id))
}

const damaged = (): SluiceError =>
  new SluiceError(
    'internal',
    `the table's property ${columnsProperty} is damaged: restore it, or remove it to match columns by name`,
    {
      action: 'stop',
    },
  )

/** Our type with the other's ids; undefined where they differ. */
function matched(ours: DataType, theirs: IcebergType, column: string): DataType | undefined {
  if (typeof theirs === 'string') {
    const name = isNested(ours) ? undefined : icebergType(ours, column)
    return typeof name === 'string' && name.replaceAll(' ', '') === theirs.replaceAll(' ', '') ? ours : undefined
  }
  if (theirs.type === 'list' && ours.kind === 'array') {
    const element = matched(ours.element, theirs.element, column)
    return element && { ...ours, element, elementId: theirs['element-id'] }
  }
  if (theirs.type === 'map' && ours.kind === 'map') {
    const key = matched(ours.key, theirs.key, column)
    const value = matched(ours.value, theirs.value, column)
    return key && value && { ...ours, key, keyId: theirs['key-id'], value, valueId: theirs['value-id'] }
  }
  if (theirs.type === 'struct' && ours.kind === 'row' && ours.fields.length === theirs.fields.length) {
    const fields = ours.fields.flatMap((field) => {
      const their = theirs.fields.find(({ name }) => name === field.name)
      const type = their && matched(field.type, their.type, column)
      return their === undefined || type === undefined ? [] : [{ ...field, id: their.id, type }]
    })
    return fields.length === ours.fields.length ? { kind: 'row', fields } : undefined
  }
  return undefined
}

const isNested = ({ kind }: DataType): boolean => kind === 'array' || kind === 'map' || kind === 'row'

/** The external schema as it becomes. */
class Draft {
  readonly #before: readonly IcebergField[]
  #fields: IcebergField[]
  #lastId: number

  constructor({ schema, lastColumnId }: ExternalTable) {
    this.#before = schema.fields
    this.#fields = [...schema.fields]
    this.#lastId = lastColumnId
  }

  /** Of none of our columns, also of those that were dropped: a column that comes back under its name is another one. */
  named(name: string, taken: ReadonlySet<number>): IcebergField | undefined {
    return this.#before.find((field) => field.name === name && !taken.has(field.id))
  }

  withId(id: number | undefined): IcebergField | undefined {
    return this.#before.find((field) => field.id === id)
  }

  add(name: string, type: DataType): number {
    const id = ++this.#lastId
    this.#fields.push({ id, name, required: false, type: icebergType(this.#numbered(type), name) })
    return id
  }

  widen(field: IcebergField, type: DataType, name: string): void {
    const wide = isNested(lakeType(type)) ? undefined : icebergType(lakeType(type), name)
    if (typeof wide !== 'string' || typeof field.type !== 'string' || !isWider(wide, field.type)) {
      const here = typeof wide === 'string' ? wide : lakeType(type).kind
      const there = typeof field.type === 'string' ? field.type.slice(0, 64) : field.type.type
      throw refused(name, `is ${here} in iceberg's terms and ${there} there: give it that type`)
    }
    this.#replace(field.id, { type: wide })
  }

  rename(id: number, name: string): void {
    this.#replace(id, { name })
  }

  /** Names are `ours` first: a column that we dropped makes room. */
  settleNames(ours: ReadonlySet<number>, noted: ReadonlySet<number>): void {
    const names = new Set(this.#fields.filter(({ id }) => ours.has(id)).map(({ name }) => name))
    for (const { id, name } of this.#fields) {
      if (ours.has(id) || !names.has(name)) continue
      if (!noted.has(id)) throw refused(name, 'would get a name that another column has there: rename that one')
      let aside = `${name}__${id}`
      while (this.#fields.some((field) => field.name === aside)) aside += `__${id}`
      this.#replace(id, { name: aside })
    }
  }

  makeOptional(id: number): void {
    this.#replace(id, { required: false })
  }

  changed(): ColumnsPlan['changed'] {
    const same = this.#fields.length === this.#before.length && this.#fields.every((field, i) => field === this.#before[i])
    return same ? undefined : { fields: this.#fields, lastColumnId: this.#lastId }
  }

  #replace(id: number, change: Partial<IcebergField>): void {
    this.#fields = this.#fields.map((field) => (field.id === id ? { ...field, ...change } : field))
  }

  #numbered(type: DataType): DataType {
    switch (type.kind) {
      case 'array':
        return { ...type, elementId: ++this.#lastId, element: this.#numbered(type.element) }
      case 'map': {
        const [keyId, valueId] = [++this.#lastId, ++this.#lastId]
        return { ...type, keyId, valueId, key: this.#numbered(type.key), value: this.#numbered(type.value) }
      }
      case 'row':
        return {
          kind: 'row',
          fields: type.fields.map((field) => ({ ...field, id: ++this.#lastId, type: this.#numbered(field.type) })),
        }
      default:
        return type
    }
  }
}

/** Promotions that Iceberg has (spec, "Schema Evolution"). */
function isWider(wide: string, narrow: string): boolean {
  if (wide === 'long') return narrow === 'int'
  if (wide === 'double') return narrow === 'float'
  const [to, from] = [wide, narrow].map((type) => /^decimal\( *([0-9]+), *([0-9]+) *\)$/.exec(type))
  return (
    to !== null && to !== undefined && from !== null && from !== undefined && to[2] === from[2] && Number(to[1]) > Number(from[1])
  )
}

const refused = (column: string, why: string): SluiceError =>
  new SluiceError(
    'invalid-schema',
    `the table in the catalog does not fit: column ${JSON.stringify(column.slice(0, 200))} ${why}`,
    {
      facts: { column: column.slice(0, 200) },
    },
  )
