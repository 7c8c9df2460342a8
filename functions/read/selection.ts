/** `bucket=0-7,12` and `partition=…` as the part of the table that they name. */
import { partitionNotFound } from '../../core/catalog/partitions.ts'
import { utf8 } from '../../core/kernel/bytes.ts'
import { SluiceError } from '../../core/kernel/errors.ts'
import { limits } from '../../core/kernel/limits.ts'
import type { Log } from '../../core/log/log.ts'
import { quoted } from '../../core/model/nearest.ts'
import type { BucketSpan, PartitionChoice, Selection } from '../../core/model/selection.ts'
import type { Table } from '../../core/model/table.ts'

export interface SelectionText {
  readonly bucket?: string | undefined
  readonly partition?: string | undefined
}

/** Errors: `bad-request` · `not-found`: one bucket of a partition that is not there, and none begins so. */
export async function selectionOf(log: Log, table: Table, { bucket, partition }: SelectionText): Promise<Selection> {
  const buckets = spansOf(table, bucket)
  return { buckets, partitions: await choiceOf(log, table, buckets, partition) }
}

/** Joined where they meet, so that one selection has one form. */
export function spansOf(table: Table, text: string | undefined): readonly BucketSpan[] {
  if (text === undefined) return []
  const parts = text.split(',', limits.bucketsMax + 1)
  if (parts.length > limits.bucketsMax) throw badBucket(table)
  const spans = parts.map((part) => spanOf(table, part)).sort((a, b) => a.first - b.first)
  const joined: BucketSpan[] = []
  for (const span of spans) {
    const before = joined.at(-1)
    if (before === undefined || span.first > before.last + 1) joined.push(span)
    else if (span.first <= before.last) throw bad('bucket', `bucket ${span.first} is named twice`)
    else joined[joined.length - 1] = { first: before.first, last: span.last }
  }
  return joined
}

function spanOf(table: Table, text: string): BucketSpan {
  const [, first = '', last = first] = /^([0-9]{1,40})(?:-([0-9]{1,40}))?$/.exec(text) ?? []
  const span = { first: Number(first), last: Number(last) }
  if (first === '' || span.last >= table.buckets.count || span.first > span.last) throw badBucket(table)
  return span
}

const badBucket = ({ database, name, buckets }: Table): SluiceError =>
  bad(
    'bucket',
    `bucket must be numbers from 0 to ${buckets.count - 1}, the buckets of ${database}.${name}, such as ${buckets.count > 2 ? `0 or 0-1,${buckets.count - 1}` : '0'}`,
  )

/**
 * The partition of that name, else those inside it (`dt=2026-11-21` of `dt=2026-11-21/hour=9`), else those whose names begin so.
 * Decided when reading begins, and kept in the cursor.
 */
async function choiceOf(
  log: Log,
  table: Table,
  buckets: readonly BucketSpan[],
  text: string | undefined,
): Promise<PartitionChoice> {
  if (text === undefined || (text === '' && table.partitionBy.length === 0)) return { kind: 'all' }
  if (table.partitionBy.length === 0)
    throw bad('partition', `${table.database}.${table.name} is not partitioned: leave out partition=${quoted(text)}`)
  if (utf8(text).length >= limits.partitionNameBytesMax)
    throw bad('partition', `partition has more than ${limits.partitionNameBytesMax - 1} bytes`)
  const names = (await log.partitions(table)).map(({ name }) => name)
  if (names.includes(text)) return { kind: 'name', name: text }
  const inside = `${text}/`
  if (names.some((name) => name.startsWith(inside))) return { kind: 'prefix', prefix: inside }
  const isOne = buckets.length === 1 && buckets[0]?.first === buckets[0]?.last
  if (isOne && !names.some((name) => name.startsWith(text))) throw partitionNotFound(table, text)
  return { kind: 'prefix', prefix: text }
}

const bad = (parameter: string, message: string): SluiceError => new SluiceError('bad-request', message, { facts: { parameter } })
