/**
 * Tables with a primary key: what their options may say and what they must be together. Every option here is fixed when the table
 * is created: rows that are there were merged by it.
 */
import { SluiceError } from '../kernel/errors.ts'
import { type AggregateFunction, aggregateTypes } from './aggregate.ts'
import { quoted, suggestion } from './nearest.ts'
import { printType } from './type-text.ts'
import type { DataType } from './types.ts'

export const mergeEngines = ['last-row', 'first-row', 'versioned', 'aggregation'] as const
export const changelogImages = ['full', 'wal'] as const
export const deleteBehaviors = ['allow', 'ignore', 'disable'] as const

export interface KeyedOptions {
  readonly mergeEngine: (typeof mergeEngines)[number]
  readonly versionColumn?: string
  readonly changelogImage: (typeof changelogImages)[number]
  /** Absent, before a table has it: as its merge engine has it. */
  readonly deleteBehavior?: (typeof deleteBehaviors)[number]
  /** Of a table with an autoIncrement column: how many numbers a process takes at once. */
  readonly cacheSize?: number
  /** By column, where there is anything to say. */
  readonly fields: Readonly<Record<string, FieldOptions>>
}

export interface FieldOptions {
  readonly agg?: AggregateFunction
  readonly listaggDelimiter?: string
}

export const defaultKeyed: KeyedOptions = { mergeEngine: 'last-row', changelogImage: 'full', fields: {} }
/** A process that ends loses what it has not drawn: with 100,000, as Fluss has it, an int would last for 21,474 cold starts. */
const defaultCacheSize = 1_000
export const cacheSizeMax = 1_000_000
export const cacheSizeOption = 'auto-increment.cache-size'

/** Of a table, or of its specification. */
export interface Keyed {
  readonly columns: readonly KeyedColumn[]
  readonly primaryKey?: readonly string[]
  readonly partitionBy: readonly string[]
  readonly buckets: { readonly key?: readonly string[] }
  readonly options: { readonly lakeFormat: string; readonly keyed?: KeyedOptions }
}

interface KeyedColumn {
  readonly name: string
  readonly type: DataType
  readonly nullable: boolean
  readonly autoIncrement?: true
}

export function deleteBehaviorOf({ mergeEngine, deleteBehavior }: KeyedOptions): NonNullable<KeyedOptions['deleteBehavior']> {
  return deleteBehavior ?? (mergeEngine === 'last-row' ? 'allow' : 'ignore')
}

/** Every option with its value, in one order whatever theirs was. */
export function printKeyed(keyed: KeyedOptions): Record<string, string> {
  const { mergeEngine, versionColumn, changelogImage, cacheSize, fields } = keyed
  const printed: Record<string, string> = {
    'merge-engine': mergeEngine,
    ...(versionColumn === undefined ? {} : { 'merge-engine.version-column': versionColumn }),
    'changelog.image': changelogImage,
    'delete.behavior': deleteBehaviorOf(keyed),
    ...(cacheSize === undefined ? {} : { [cacheSizeOption]: String(cacheSize) }),
  }
  for (const [name, { agg, listaggDelimiter }] of Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (agg !== undefined) printed[`fields.${name}.agg`] = agg
    if (listaggDelimiter !== undefined) printed[`fields.${name}.listagg-delimiter`] = listaggDelimiter
  }
  return printed
}

/** With everything said that a table with a primary key has. */
export function settledKeyed<T extends Keyed['options']>(
  options: T,
  { isKeyed, isCounted }: { readonly isKeyed: boolean; readonly isCounted: boolean },
): T {
  if (!isKeyed) return options
  const keyed = options.keyed ?? defaultKeyed
  const counted = isCounted ? { cacheSize: cacheSizeOf(keyed) } : {}
  return { ...options, keyed: { ...keyed, deleteBehavior: deleteBehaviorOf(keyed), ...counted } }
}

export const cacheSizeOf = ({ cacheSize }: KeyedOptions): number => cacheSize ?? defaultCacheSize

/** Errors: `invalid-schema` (what the key, the columns and the options cannot be together), `not-supported` (with a lake). */
export function checkKeyed(spec: Keyed): void {
  const { primaryKey, columns, options } = spec
  const incremented = columns.filter(({ autoIncrement }) => autoIncrement === true)
  if (primaryKey === undefined) {
    const [first] = incremented
    if (first !== undefined)
      throw invalid(`column ${quoted(first.name)}: autoIncrement needs a table with a primaryKey`, { column: first.name })
    if (options.keyed !== undefined)
      throw invalid(
        'merge-engine, changelog.image, delete.behavior, auto-increment.cache-size and fields.* need a table with a primaryKey: name one, or leave them out',
      )
    return
  }
  if (options.lakeFormat !== 'none')
    throw new SluiceError('not-supported', 'primaryKey with lake.format is not in this build: create the table without a lake', {
      facts: { field: 'primaryKey' },
    })
  checkKey(spec, primaryKey)
  checkBucketKey(spec, primaryKey)
  checkIncremented(incremented, primaryKey, options.keyed ?? defaultKeyed)
  checkEngine(spec, options.keyed ?? defaultKeyed)
  checkFields(spec, primaryKey, options.keyed ?? defaultKeyed)
}

/** Errors: `bad-request` for what cannot be altered, whatever it would be altered to. */
export function checkKeyedStay(names: readonly string[], now: KeyedOptions | undefined, wanted: KeyedOptions | undefined): void {
  if (sameKeyed(now, wanted)) return
  const option = names.find(isFixedOption) ?? (names.includes(cacheSizeOption) ? cacheSizeOption : 'merge-engine')
  const why =
    now === undefined
      ? 'is for tables with a primary key, which this one was created without: leave it out, or create another table with a primaryKey'
      : 'is fixed when a table is created: rows that are there were merged by it; create another table with it'
  throw new SluiceError('bad-request', `option ${option} ${why}`, { facts: { option: option.slice(0, 256) } })
}

const sameKeyed = (a: KeyedOptions | undefined, b: KeyedOptions | undefined): boolean =>
  a === undefined || b === undefined ? a === b : JSON.stringify(fixedOptions(a)) === JSON.stringify(fixedOptions(b))

/** How many numbers are taken at once is of no row. */
const fixedOptions = ({ cacheSize: _, ...keyed }: KeyedOptions): Record<string, string> => printKeyed(keyed)

const namedOptions: readonly string[] = ['merge-engine', 'merge-engine.version-column', 'changelog.image', 'delete.behavior']
const isFixedOption = (name: string): boolean => namedOptions.includes(name) || name.startsWith('fields.')

/** As Iceberg's identifier fields: nothing nested, and nothing of which one number has two forms. */
const keyless: ReadonlySet<DataType['kind']> = new Set(['float', 'double', 'array', 'map', 'row', 'vector'])

function checkKey({ columns, partitionBy }: Keyed, primaryKey: readonly string[]): void {
  const seen = new Set<string>()
  for (const name of primaryKey) {
    const column = columnNamed(columns, name, 'primaryKey')
    if (seen.has(name)) throw invalid(`primaryKey names the column ${quoted(name)} twice`, { column: name })
    seen.add(name)
    if (keyless.has(column.type.kind))
      throw invalid(
        `the column ${quoted(name)} of type ${printType(column.type)} cannot be in a primaryKey; use boolean, integers, decimal, string, binary, dates or times`,
        { column: name },
      )
    if (column.nullable)
      throw invalid(`the column ${quoted(name)} is in the primaryKey and cannot be nullable: leave nullable out, or say false`, {
        column: name,
      })
  }
  const partition = partitionBy.find((name) => !seen.has(name))
  if (partition !== undefined)
    throw invalid(`the column ${quoted(partition)} partitions the table and is not in its primaryKey: add it there`, {
      column: partition,
    })
  if (primaryKey.length === partitionBy.length)
    throw invalid('primaryKey needs a column besides those of partitionBy: a partition would hold one row')
}

function checkBucketKey({ partitionBy, buckets }: Keyed, primaryKey: readonly string[]): void {
  const other = buckets.key?.find((name) => !primaryKey.includes(name) || partitionBy.includes(name))
  if (other !== undefined)
    throw invalid(
      `buckets.key names the column ${quoted(other)}: use columns of the primaryKey that are not in partitionBy, so that a key stays in one bucket`,
      { column: other },
    )
}

function checkIncremented(incremented: readonly KeyedColumn[], primaryKey: readonly string[], { cacheSize }: KeyedOptions): void {
  const [first, second] = incremented
  if (first === undefined) {
    if (cacheSize !== undefined) throw wrong(cacheSizeOption, 'the table has no autoIncrement column: leave it out')
    return
  }
  const { name, type } = first
  if (second !== undefined)
    throw invalid(`a table has at most one autoIncrement column, not ${quoted(name)} and ${quoted(second.name)}`, {
      column: second.name,
    })
  if (type.kind !== 'int' && type.kind !== 'bigint')
    throw invalid(`column ${quoted(name)}: autoIncrement takes int or bigint, not ${printType(type)}`, { column: name })
  if (primaryKey.includes(name))
    throw invalid(`column ${quoted(name)}: an autoIncrement column cannot be in the primaryKey, which rows bring`, {
      column: name,
    })
}

const versionKinds: ReadonlySet<DataType['kind']> = new Set(['int', 'bigint', 'timestamp', 'timestamp_ltz'])

function checkEngine({ columns }: Keyed, keyed: KeyedOptions): void {
  const { mergeEngine, versionColumn, changelogImage, deleteBehavior } = keyed
  if (mergeEngine === 'versioned' && versionColumn === undefined)
    throw wrong(
      'merge-engine.version-column',
      'merge-engine=versioned needs it: name a column of type int, bigint, timestamp or timestamp_ltz',
    )
  if (versionColumn !== undefined) {
    if (mergeEngine !== 'versioned')
      throw wrong('merge-engine.version-column', 'it is for merge-engine=versioned alone: leave it out')
    const { name, type, autoIncrement } = columnNamed(columns, versionColumn, 'merge-engine.version-column')
    if (!versionKinds.has(type.kind) || autoIncrement === true)
      throw wrong(
        'merge-engine.version-column',
        `${quoted(name)} has type ${printType(type)}: use a column of int, bigint, timestamp or timestamp_ltz that rows bring`,
      )
  }
  if (mergeEngine === 'aggregation' && changelogImage !== 'full')
    throw wrong('changelog.image', 'merge-engine=aggregation needs changelog.image=full')
  if (deleteBehavior === 'allow' && (mergeEngine === 'first-row' || mergeEngine === 'versioned'))
    throw wrong('delete.behavior', `allow is not possible with merge-engine=${mergeEngine}: use ignore or disable`)
}

function checkFields({ columns }: Keyed, primaryKey: readonly string[], { mergeEngine, fields }: KeyedOptions): void {
  for (const [name, { agg, listaggDelimiter }] of Object.entries(fields)) {
    const option = `fields.${name}.${agg === undefined ? 'listagg-delimiter' : 'agg'}`
    if (mergeEngine !== 'aggregation') throw wrong(option, 'it is for merge-engine=aggregation alone: leave it out')
    const { type, autoIncrement } = columnNamed(columns, name, option)
    if (primaryKey.includes(name)) throw wrong(option, `${quoted(name)} is in the primaryKey and is not aggregated: leave it out`)
    if (autoIncrement === true)
      throw wrong(option, `${quoted(name)} is an autoIncrement column and keeps its value: leave it out`)
    const kinds: readonly string[] | undefined = agg === undefined ? undefined : aggregateTypes[agg]
    if (kinds !== undefined && !kinds.includes(type.kind))
      throw wrong(option, `${agg} takes ${kinds.join(', ')}, and ${quoted(name)} has type ${printType(type)}`)
    if (listaggDelimiter !== undefined && agg !== 'listagg')
      throw wrong(`fields.${name}.listagg-delimiter`, `it is for fields.${name}.agg=listagg alone: leave it out`)
  }
}

export function columnNamed<T extends { readonly name: string }>(columns: readonly T[], name: string, where: string): T {
  const column = columns.find((each) => each.name === name)
  if (column !== undefined) return column
  const names = columns.map((each) => each.name)
  throw invalid(`${where} names the column ${quoted(name)}, which is not there${suggestion(name, names)}`)
}

const wrong = (option: string, fix: string): SluiceError => invalid(`option ${option}: ${fix}`, { option: option.slice(0, 256) })

const invalid = (message: string, facts: Readonly<Record<string, unknown>> = {}): SluiceError =>
  new SluiceError('invalid-schema', message, { facts })
