/**
 * Table options: the closed list that this build knows, parsed. Text in, text out. An unknown key is refused with the nearest
 * name; one that the contract names and this build lacks is `not-supported`, never ignored.
 */
import { SluiceError } from '../kernel/errors.ts'
import { type AggregateFunction, aggregateTypes, isAggregate } from './aggregate.ts'
import { type AutoPartition, defaultAutoPartition, numPrecreateMax, numRetentionMax } from './auto-partition.ts'
import {
  cacheSizeMax,
  cacheSizeOption,
  changelogImages,
  defaultKeyed,
  deleteBehaviors,
  type FieldOptions,
  type KeyedOptions,
  mergeEngines,
  printKeyed,
} from './keyed.ts'
import { quoted, suggestion } from './nearest.ts'
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
    const read = Object.hasOwn(readers, key) ? readers[key] : fieldReader(key)
    if (read === undefined) throw unreadable(key)
    if (value !== null && typeof value !== 'string') throw invalid(key, 'its value is text')
    options = read(options, value, key)
  }
  if (options.lakeFormatVersion !== undefined && options.lakeFormat !== 'iceberg')
    throw invalid('lake.format-version', '3 is for tables with lake.format=iceberg')
  if (options.lakeCatalog?.name === '') throw invalid('lake.catalog', 'lake.namespace and lake.table need it, so name a catalog')
  if (options.lakeCatalog !== undefined && options.lakeFormat !== 'iceberg') {
    throw invalid('lake.catalog', 'it is for tables with lake.format=iceberg')
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

const lakeFreshnessMsMin = 100
const lakeFreshnessMsMax = 30 * 86_400_000
const lakeBytesMin = 1024
const lakeBytesMax = 1024 ** 4
const logTtlMsMin = 60_000
const logTtlMsMax = 3_650 * 86_400_000

type Reader = (options: TableOptions, value: string | null, key: string) => TableOptions
const readers: Readonly<Record<string, Reader>> = {
  'lake.format': (options, value) => {
    if (value === 'lance') throw unsupported('lake.format=lance')
    if (value !== null && value !== 'none' && value !== 'iceberg') throw invalid('lake.format', 'use none or iceberg')
    return { ...options, lakeFormat: value ?? defaultOptions.lakeFormat }
  },
  'lake.format-version': ({ lakeFormatVersion: _, ...options }, value, key) => {
    if (value !== null && value !== '2' && value !== '3') throw invalid(key, 'use 2 or 3')
    return value === '3' ? { ...options, lakeFormatVersion: 3 } : options
  },
  'lake.catalog': lakeCatalog('name', /^[A-Za-z0-9_-]{1,64}$/, 'the name of a catalog of this deployment'),
  'lake.namespace': lakeCatalog('namespace', /^[^\p{Cc}.]{1,200}(\.[^\p{Cc}.]{1,200}){0,7}$/u, 'names apart by points'),
  'lake.table': lakeCatalog('table', /^\P{Cc}{1,200}$/u, 'a name of at most 200 characters'),
  'lake.freshness': (options, value, key) => {
    const ms = value === null ? defaultOptions.lakeFreshnessMs : parseDuration(value)
    if (ms === undefined || ms < lakeFreshnessMsMin || ms > lakeFreshnessMsMax)
      throw invalid(key, 'use a duration from 100ms to 30d, such as 20s')
    return { ...options, lakeFreshnessMs: ms }
  },
  'lake.bytes': (options, value, key) => {
    const bytes = value === null ? defaultOptions.lakeBytes : parseSize(value)
    if (bytes === undefined || bytes < lakeBytesMin || bytes > lakeBytesMax)
      throw invalid(key, 'use a size from 1KiB to 1024GiB, such as 64MiB')
    return { ...options, lakeBytes: bytes }
  },
  'log.ttl': (options, value, key) => ({ ...options, logTtlMs: value === null ? defaultOptions.logTtlMs : ttlOf(value, key) }),
  'log.ttl-after-tier': ({ logTtlAfterTierMs: _, ...options }, value, key) =>
    value === null ? options : { ...options, logTtlAfterTierMs: ttlOf(value, key) },
  'auto-partition.enabled': auto((value, key) => ({ enabled: value === null ? false : booleanOf(value, key) })),
  'auto-partition.time-unit': auto((value, key) => {
    const timeUnit = value === null ? defaultAutoPartition.timeUnit : timeUnits.find((unit) => unit === value.toLowerCase())
    if (timeUnit === undefined) throw invalid(key, `use one of ${timeUnits.join(', ')}`)
    return { timeUnit }
  }),
  'auto-partition.time-zone': auto((value, key) => {
    if (value !== null && !isTimeZone(value)) throw invalid(key, 'use a time zone such as UTC or Europe/Berlin')
    return { timeZone: value ?? defaultAutoPartition.timeZone }
  }),
  'auto-partition.num-precreate': auto((value, key) => ({
    numPrecreate: value === null ? undefined : integerOf(value, key, 0, numPrecreateMax),
  })),
  'auto-partition.num-retention': auto((value, key) => ({
    numRetention: value === null ? defaultAutoPartition.numRetention : integerOf(value, key, -1, numRetentionMax),
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
    value === null ? options : { ...options, cacheSize: integerOf(value, key, 1, cacheSizeMax) },
  ),
}

function lakeCatalog(field: keyof LakeCatalogOptions, pattern: RegExp, form: string): Reader {
  return ({ lakeCatalog: { [field]: _, ...others } = { name: '' }, ...options }, value, key) => {
    if (value !== null && !pattern.test(value)) throw invalid(key, `use ${form}`)
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
  if (found === undefined) throw invalid(key, `use one of ${values.join(', ')}`)
  return found
}

function aggregateOf(text: string, key: string): AggregateFunction {
  if (!isAggregate(text))
    throw invalid(key, `use one of ${Object.keys(aggregateTypes).join(', ')}${suggestion(text, Object.keys(aggregateTypes))}`)
  return text
}

function delimiterOf(text: string, key: string): string {
  if (text.length > delimiterLengthMax || !text.isWellFormed())
    throw invalid(key, `use a text of at most ${delimiterLengthMax} characters`)
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

function booleanOf(text: string, key: string): boolean {
  if (text !== 'true' && text !== 'false') throw invalid(key, 'use true or false')
  return text === 'true'
}

function integerOf(text: string, key: string, min: number, max: number): number {
  const value = /^-?[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= min && value <= max)) throw invalid(key, `use a whole number from ${min} to ${max}`)
  return value
}

function ttlOf(text: string, key: string): number {
  const ms = parseDuration(text)
  if (ms === undefined || ms < logTtlMsMin || ms > logTtlMsMax) throw invalid(key, 'use a duration from 1m to 3650d, such as 7d')
  return ms
}

function unreadable(key: string): SluiceError {
  const near = key.startsWith('fields.')
    ? ': use fields.<column>.agg or fields.<column>.listagg-delimiter'
    : suggestion(key, Object.keys(readers))
  return new SluiceError('unknown-field', `option ${quoted(key)} is not known${near}`, { facts: { field: key.slice(0, 256) } })
}

const unsupported = (what: string): SluiceError =>
  new SluiceError('not-supported', `option ${quoted(what)} is not in this build`, { facts: { option: what.slice(0, 256) } })

const invalid = (key: string, fix: string): SluiceError =>
  new SluiceError('bad-request', `option ${key} has a value that is not allowed: ${fix}`, { facts: { option: key } })
