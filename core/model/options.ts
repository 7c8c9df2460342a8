/**
 * Table options, parsed: the closed list of option-table.ts. Text in, text out. An unknown key is refused with the nearest
 * name; one that the contract names and this build lacks is `not-supported`, never ignored.
 */
import { SluiceError } from '../kernel/errors.ts'
import { type AggregateFunction, isAggregate } from './aggregate.ts'
import { type AutoPartition, defaultAutoPartition } from './auto-partition.ts'
import {
  cacheSizeOption,
  changelogImages,
  defaultKeyed,
  deleteBehaviors,
  type FieldOptions,
  type KeyedOptions,
  mergeEngines,
  printKeyed,
} from './keyed.ts'
import { nearest, quoted, suggestion } from './nearest.ts'
import { type OptionName, optionEntry, optionNames, wordsOf } from './option-table.ts'
import { isTimeZone, timeUnits } from './period.ts'
import { parseDuration, parseSize, printDuration, printSize } from './units.ts'

export interface TableOptions {
  readonly lakeFormat: 'none' | 'iceberg'
  /** Of Iceberg; absent: 2. */
  readonly lakeFormatVersion?: 3
  /** ms */
  readonly lakeFreshnessMs: number
  readonly lakeBytes: number
  /** Absent: the lake is in our own catalog. */
  readonly lakeCatalog?: LakeCatalogOptions
  /** ms: rows that are older may leave the log. */
  readonly logTtlMs: number
  /** ms: the same for rows that are in the lake; absent: as the others. */
  readonly logTtlAfterTierMs?: number
  /** Absent: as the defaults are. */
  readonly autoPartition?: AutoPartition
  /** Of a table with a primary key, which always has them. */
  readonly keyed?: KeyedOptions
}

/** Where a table's lake is committed to instead, by the deployment's name of it. */
export interface LakeCatalogOptions {
  readonly name: string
  /** Levels apart by `.`; absent: the database. */
  readonly namespace?: string
  /** Absent: the table's name, and no table may be there. */
  readonly table?: string
}

export const defaultOptions: TableOptions = {
  lakeFormat: 'none',
  lakeFreshnessMs: 180_000,
  lakeBytes: 64 * 1024 * 1024,
  logTtlMs: 7 * 86_400_000,
}

/** Changes `base` by key; null takes a key back to its default. Errors: `unknown-field`, `not-supported`, `bad-request`. */
export function parseOptions(record: Readonly<Record<string, string | null>>, base: TableOptions = defaultOptions): TableOptions {
  let options = base
  for (const [key, value] of Object.entries(record)) {
    const read = isPlain(key) ? readers[key] : fieldReader(key)
    if (read === undefined) throw unreadable(key)
    if (value !== null && typeof value !== 'string') throw wrong(key, 'its value is text')
    options = read(options, value, key)
  }
  if (options.lakeFormatVersion !== undefined && options.lakeFormat !== 'iceberg')
    throw wrong('lake.format-version', '3 is for tables with lake.format=iceberg')
  if (options.lakeCatalog?.name === '') throw wrong('lake.catalog', 'lake.namespace and lake.table need it, so name a catalog')
  if (options.lakeCatalog !== undefined && options.lakeFormat !== 'iceberg') {
    throw wrong('lake.catalog', 'it is for tables with lake.format=iceberg')
  }
  return options
}

/** Every option with its value, defaults included: what describe answers. */
export function printOptions(options: TableOptions): Record<string, string> {
  return {
    'lake.format': options.lakeFormat,
    ...(options.lakeFormat === 'iceberg' ? { 'lake.format-version': String(options.lakeFormatVersion ?? 2) } : {}),
    ...(options.lakeCatalog === undefined ? {} : printLakeCatalog(options.lakeCatalog)),
    'lake.freshness': printDuration(options.lakeFreshnessMs),
    'lake.bytes': printSize(options.lakeBytes),
    'log.ttl': printDuration(options.logTtlMs),
    ...(options.logTtlAfterTierMs === undefined ? {} : { 'log.ttl-after-tier': printDuration(options.logTtlAfterTierMs) }),
    ...(options.autoPartition === undefined ? {} : printAutoPartition(options.autoPartition)),
    ...(options.keyed === undefined ? {} : printKeyed(options.keyed)),
  }
}

const printLakeCatalog = ({ name, namespace, table }: LakeCatalogOptions): Record<string, string> => ({
  'lake.catalog': name,
  ...(namespace === undefined ? {} : { 'lake.namespace': namespace }),
  ...(table === undefined ? {} : { 'lake.table': table }),
})

function printAutoPartition({
  enabled,
  key,
  timeUnit,
  timeZone,
  numPrecreate,
  numRetention,
}: AutoPartition): Record<string, string> {
  return {
    'auto-partition.enabled': String(enabled),
    ...(key === undefined ? {} : { 'auto-partition.key': key }),
    'auto-partition.time-unit': timeUnit,
    'auto-partition.time-zone': timeZone,
    ...(numPrecreate === undefined ? {} : { 'auto-partition.num-precreate': String(numPrecreate) }),
    'auto-partition.num-retention': String(numRetention),
  }
}

type Reader = (options: TableOptions, value: string | null, key: string) => TableOptions
type Plain = Exclude<OptionName, `fields.${string}`>
const readers: Readonly<Record<Plain, Reader>> = {
  'lake.format': (options, value) => {
    if (value === 'lance') throw unsupported('lake.format=lance')
    if (value !== null && value !== 'none' && value !== 'iceberg') throw invalid('lake.format')
    return { ...options, lakeFormat: value ?? defaultOptions.lakeFormat }
  },
  'lake.format-version': ({ lakeFormatVersion: _, ...options }, value, key) => {
    if (value !== null && value !== '2' && value !== '3') throw invalid(key)
    return value === '3' ? { ...options, lakeFormatVersion: 3 } : options
  },
  'lake.catalog': lakeCatalog('name', /^[A-Za-z0-9_-]{1,64}$/),
  'lake.namespace': lakeCatalog('namespace', /^[^\p{Cc}.]{1,200}(\.[^\p{Cc}.]{1,200}){0,7}$/u),
  // A segment of a path, where these two would name another one.
  'lake.table': lakeCatalog('table', /^(?!\.{1,2}$)\P{Cc}{1,200}$/u),
  'lake.freshness': (options, value, key) => ({
    ...options,
    lakeFreshnessMs: value === null ? defaultOptions.lakeFreshnessMs : amountOf(value, key, parseDuration),
  }),
  'lake.bytes': (options, value, key) => ({
    ...options,
    lakeBytes: value === null ? defaultOptions.lakeBytes : amountOf(value, key, parseSize),
  }),
  'log.ttl': (options, value, key) => ({
    ...options,
    logTtlMs: value === null ? defaultOptions.logTtlMs : amountOf(value, key, parseDuration),
  }),
  'log.ttl-after-tier': ({ logTtlAfterTierMs: _, ...options }, value, key) =>
    value === null ? options : { ...options, logTtlAfterTierMs: amountOf(value, key, parseDuration) },
  'auto-partition.enabled': auto((value, key) => ({
    enabled: value === null ? false : oneOf(value, ['true', 'false'] as const, key) === 'true',
  })),
  'auto-partition.time-unit': auto((value, key) => {
    const timeUnit = value === null ? defaultAutoPartition.timeUnit : timeUnits.find((unit) => unit === value.toLowerCase())
    if (timeUnit === undefined) throw invalid(key)
    return { timeUnit }
  }),
  'auto-partition.time-zone': auto((value, key) => {
    if (value !== null && !isTimeZone(value)) throw invalid(key)
    return { timeZone: value ?? defaultAutoPartition.timeZone }
  }),
  'auto-partition.num-precreate': auto((value, key) => ({
    numPrecreate: value === null ? undefined : numberOf(value, key),
  })),
  'auto-partition.num-retention': auto((value, key) => ({
    numRetention: value === null ? defaultAutoPartition.numRetention : numberOf(value, key),
  })),
  'auto-partition.key': auto((value) => ({ key: value ?? undefined })),
  'merge-engine': keyed((options, value, key) => ({
    ...options,
    mergeEngine: oneOf(value ?? defaultKeyed.mergeEngine, mergeEngines, key),
  })),
  'merge-engine.version-column': keyed(({ versionColumn: _, ...options }, value) =>
    value === null ? options : { ...options, versionColumn: value },
  ),
  'changelog.image': keyed((options, value, key) => ({
    ...options,
    changelogImage: oneOf(value ?? defaultKeyed.changelogImage, changelogImages, key),
  })),
  'delete.behavior': keyed(({ deleteBehavior: _, ...options }, value, key) =>
    value === null ? options : { ...options, deleteBehavior: oneOf(value, deleteBehaviors, key) },
  ),
  [cacheSizeOption]: keyed(({ cacheSize: _, ...options }, value, key) =>
    value === null ? options : { ...options, cacheSize: numberOf(value, key) },
  ),
}

function lakeCatalog(field: keyof LakeCatalogOptions, pattern: RegExp): Reader {
  return ({ lakeCatalog: { [field]: _, ...others } = { name: '' }, ...options }, value, key) => {
    if (value !== null && !pattern.test(value)) throw invalid(key)
    const next = { name: '', ...others, ...(value !== null && { [field]: value }) }
    return Object.values(next).every((text) => text === '') ? options : { ...options, lakeCatalog: next }
  }
}

/** Of `fields.<column>.agg` and `fields.<column>.listagg-delimiter`; a column's name may have dots. */
function fieldReader(option: string): Reader | undefined {
  const [, name, what] = /^fields\.(.+)\.(agg|listagg-delimiter)$/su.exec(option) ?? []
  if (name === undefined) return undefined
  return keyed(({ fields, ...options }, value, key) => {
    const before = (Object.hasOwn(fields, name) ? fields[name] : undefined) ?? {}
    const { [name]: _other, ...others } = fields
    const { [what === 'agg' ? 'agg' : 'listaggDelimiter']: _, ...rest } = before
    const field: FieldOptions =
      value === null
        ? rest
        : what === 'agg'
          ? { ...rest, agg: aggregateOf(value, key) }
          : { ...rest, listaggDelimiter: delimiterOf(value, key) }
    return { ...options, fields: Object.keys(field).length === 0 ? others : { ...others, [name]: field } }
  })
}

/** Once one is named they are there, and the table has to have a key; null names none. */
function keyed(read: (options: KeyedOptions, value: string | null, key: string) => KeyedOptions): Reader {
  return (options, value, key) =>
    value === null && options.keyed === undefined
      ? options
      : { ...options, keyed: read(options.keyed ?? defaultKeyed, value, key) }
}

function oneOf<T extends string>(text: string, values: readonly T[], key: string): T {
  const found = values.find((value) => value === text)
  if (found === undefined) throw invalid(key)
  return found
}

function aggregateOf(text: string, key: string): AggregateFunction {
  if (!isAggregate(text)) throw invalid(key, text)
  return text
}

function delimiterOf(text: string, key: string): string {
  if (text.length > delimiterLengthMax || !text.isWellFormed()) throw invalid(key)
  return text
}

const delimiterLengthMax = 16

/** As the defaults are and absent are one. */
function auto(read: (value: string | null, key: string) => Partial<AutoPartition>): Reader {
  return ({ autoPartition = defaultAutoPartition, ...options }, value, key) => {
    const next = { ...autoPartition, ...read(value, key) }
    const names = Object.keys(next) as (keyof AutoPartition)[]
    return names.every((name) => next[name] === defaultAutoPartition[name]) ? options : { ...options, autoPartition: next }
  }
}

function numberOf(text: string, key: string): number {
  const { takes } = entryOf(key)
  const value = /^-?[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (takes.is !== 'number' || !(value >= takes.min && value <= takes.max)) throw invalid(key)
  return value
}

/** A duration or a size, as `parse` reads it. */
function amountOf(text: string, key: string, parse: (text: string) => number | undefined): number {
  const { takes } = entryOf(key)
  const value = parse(text)
  if (value === undefined || (takes.is !== 'duration' && takes.is !== 'size')) throw invalid(key)
  if (value < (parse(takes.min) ?? 0) || value > (parse(takes.max) ?? 0)) throw invalid(key)
  return value
}

const isPlain = (key: string): key is Plain => Object.hasOwn(readers, key)

/** Of the option `key`, which is one. */
function entryOf(key: string) {
  return optionEntry(isPlain(key) ? key : key.endsWith('.agg') ? 'fields.<column>.agg' : 'fields.<column>.listagg-delimiter')
}

function unreadable(key: string): SluiceError {
  const near = nearest(key, optionNames)
  const hint = key.startsWith('fields.')
    ? 'use fields.<column>.agg or fields.<column>.listagg-delimiter'
    : near === undefined
      ? `known are ${optionNames.join(', ')}`
      : `did you mean ${quoted(near)}? docs/options.md has all of them`
  return new SluiceError('unknown-field', `option ${quoted(key)} is not known: ${hint}`, { facts: { field: key.slice(0, 256) } })
}

const unsupported = (what: string): SluiceError =>
  new SluiceError('not-supported', `option ${quoted(what)} is not in this build`, { facts: { option: what.slice(0, 256) } })

/** `value`: one that may be misspelt. */
function invalid(key: string, value?: string): SluiceError {
  const { takes } = entryOf(key)
  const near = value === undefined || takes.is !== 'choice' ? '' : suggestion(value, takes.values)
  return wrong(key, `use ${wordsOf(takes)}${near}`)
}

const wrong = (key: string, fix: string): SluiceError =>
  new SluiceError('bad-request', `option ${key} has a value that is not allowed: ${fix}`, { facts: { option: key } })
