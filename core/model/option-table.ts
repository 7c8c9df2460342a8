/**
 * The options of a table, described: what each takes, its default, and what it is for. Messages of errors, /openapi.json and
 * docs/options.md are made from here; options.ts reads them. `fields.<column>` stands for a column of the table.
 */

import { limits } from '../kernel/limits.ts'
import { aggregateTypes, defaultAggregate } from './aggregate.ts'
import { defaultAutoPartition } from './auto-partition.ts'
import {
  cacheSizeMax,
  cacheSizeOf,
  cacheSizeOption,
  changelogImages,
  defaultKeyed,
  deleteBehaviors,
  mergeEngines,
} from './keyed.ts'
import { timeUnits } from './period.ts'

export interface OptionEntry {
  /** Text; absent: nothing, or as `about` says. */
  readonly default?: string
  readonly takes: Takes
  readonly about: string
  /** Cannot be changed after the table is created. */
  readonly isFixed?: true
}

export type Takes =
  | { readonly is: 'choice'; readonly values: readonly string[] }
  | { readonly is: 'duration' | 'size'; readonly min: string; readonly max: string; readonly example: string }
  | { readonly is: 'number'; readonly min: number; readonly max: number }
  | { readonly is: 'text'; readonly form: string }

const choice = (...values: readonly string[]): Takes => ({ is: 'choice', values })
const text = (form: string): Takes => ({ is: 'text', form })
const ttl: Takes = { is: 'duration', min: '1m', max: '3650d', example: '7d' }

export const optionTable = {
  'lake.format': { default: 'none', takes: choice('none', 'iceberg'), about: 'where rows go beside the log', isFixed: true },
  'lake.format-version': { default: '2', takes: choice('2', '3'), about: 'of an Iceberg lake; goes from 2 to 3, and never back' },
  'lake.freshness': {
    default: '3m',
    takes: { is: 'duration', min: '100ms', max: '30d', example: '20s' },
    about: 'how long a row waits at most before it is brought into the lake',
  },
  'lake.bytes': {
    default: '64MiB',
    takes: { is: 'size', min: '1KiB', max: '1024GiB', example: '64MiB' },
    about: 'so many bytes that are not in the lake are brought there sooner',
  },
  'lake.catalog': {
    takes: text('the name of a catalog of this deployment'),
    about: 'an Iceberg catalog that is not ours, where lake.format is iceberg',
    isFixed: true,
  },
  'lake.namespace': { takes: text('names apart by points'), about: 'in lake.catalog; the database if absent', isFixed: true },
  'lake.table': {
    takes: text('a name of at most 200 characters, neither . nor ..'),
    about: 'in lake.catalog, one that may be there; if absent a new one of the name of the table',
    isFixed: true,
  },
  'log.ttl': { default: '7d', takes: ttl, about: 'rows that are older leave the log, where there is a lake when they are in it' },
  'log.ttl-after-tier': { takes: ttl, about: 'the same for rows that are in the lake; log.ttl if absent' },
  'auto-partition.enabled': {
    default: 'false',
    takes: choice('true', 'false'),
    about: 'partitions are periods, made ahead and dropped',
  },
  'auto-partition.key': {
    takes: text('a partition column'),
    about: 'that holds the period; needed with several partition columns',
  },
  'auto-partition.time-unit': {
    default: defaultAutoPartition.timeUnit,
    takes: choice(...timeUnits),
    about: 'a period; stays while enabled',
  },
  'auto-partition.time-zone': {
    default: defaultAutoPartition.timeZone,
    takes: text('a time zone such as UTC or Europe/Berlin'),
    about: 'in which periods begin; stays while enabled',
  },
  'auto-partition.num-precreate': {
    takes: { is: 'number', min: 0, max: limits.partitionsPrecreatedMax },
    about: 'periods that stand ahead, the current one among them; 2 if absent, 0 with several partition columns',
  },
  'auto-partition.num-retention': {
    default: `${defaultAutoPartition.numRetention}`,
    takes: { is: 'number', min: -1, max: limits.partitionsRetainedMax },
    about: 'periods before the current one that are kept; -1: all',
  },
  'merge-engine': {
    default: defaultKeyed.mergeEngine,
    takes: choice(...mergeEngines),
    about: 'what becomes of rows of one primary key',
    isFixed: true,
  },
  'merge-engine.version-column': {
    takes: text('a column of type int, bigint, timestamp or timestamp_ltz'),
    about: 'of merge-engine=versioned: the row with the greatest stays',
    isFixed: true,
  },
  'changelog.image': {
    default: defaultKeyed.changelogImage,
    takes: choice(...changelogImages),
    about: 'full: the changelog has the row before, too',
    isFixed: true,
  },
  'delete.behavior': {
    takes: choice(...deleteBehaviors),
    about: 'what a delete does; allow if absent with merge-engine=last-row, else ignore',
    isFixed: true,
  },
  [cacheSizeOption]: {
    default: `${cacheSizeOf(defaultKeyed)}`,
    takes: { is: 'number', min: 1, max: cacheSizeMax },
    about: 'numbers that a process takes at once, where a column counts; those that it does not use are lost',
  },
  'fields.<column>.agg': {
    default: defaultAggregate,
    takes: choice(...Object.keys(aggregateTypes)),
    about: 'of merge-engine=aggregation: how values of that column become one',
    isFixed: true,
  },
  'fields.<column>.listagg-delimiter': {
    default: ',',
    takes: text('a text of at most 16 characters'),
    about: 'between the values of agg=listagg',
    isFixed: true,
  },
} as const satisfies Readonly<Record<string, OptionEntry>>

export type OptionName = keyof typeof optionTable

export const optionNames = Object.keys(optionTable) as readonly OptionName[]

export const optionEntry = (name: OptionName): OptionEntry => optionTable[name]

/** What a value may be, as a part of a sentence. */
export function wordsOf(takes: Takes): string {
  switch (takes.is) {
    case 'choice':
      return takes.values.length <= 2 ? takes.values.join(' or ') : `one of ${takes.values.join(', ')}`
    case 'duration':
    case 'size':
      return `a ${takes.is} from ${takes.min} to ${takes.max}, such as ${takes.example}`
    case 'number':
      return `a whole number from ${takes.min} to ${takes.max}`
    case 'text':
      return takes.form
  }
}
