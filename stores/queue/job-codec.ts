/** A job as JSON text, for queues that carry text. Version 1. Decoding refuses what no sender of ours writes. */
import { SluiceError } from '../../core/kernel/errors.ts'
import { limits } from '../../core/kernel/limits.ts'
import { isJobKind, type Job } from '../../core/ports/queue.ts'

const version = 1
const marksMax = 1_000
const bytesMax = 256 * 1024

export function encodeJob(job: Job): string {
  const { kind, table, buckets, partition, marks } = job
  const text = JSON.stringify({
    version,
    kind,
    table: { database: table.database, table: table.table, tableId: table.tableId },
    buckets,
    ...(partition === undefined ? {} : { partition: { id: partition.id, name: partition.name } }),
    marks,
  })
  if (marks.length > marksMax || text.length > bytesMax)
    throw new SluiceError('internal', `a job with ${marks.length} marks is too large to be sent`)
  return text
}

export function decodeJob(text: string): Job {
  if (text.length > bytesMax) throw damaged('it is too long')
  const value = fieldsOf(parse(text))
  const table = fieldsOf(value.table)
  const { kind } = value
  if (value.version !== version || typeof kind !== 'string' || !isJobKind(kind)) throw damaged('its version or kind is unknown')
  const buckets = value.buckets
  if (typeof buckets !== 'number' || !Number.isInteger(buckets) || buckets < 1 || buckets > limits.bucketsMax)
    throw damaged('its buckets are no count')
  if (!Array.isArray(value.marks) || value.marks.length > marksMax) throw damaged('its marks are no list')
  const marks = value.marks.map((mark: unknown) => textOf(mark))
  return {
    kind,
    table: { database: textOf(table.database), table: textOf(table.table), tableId: textOf(table.tableId) },
    buckets,
    ...partitionOf(value.partition),
    marks,
  }
}

function partitionOf(value: unknown): Pick<Job, 'partition'> {
  if (value === undefined) return {}
  const { id, name } = fieldsOf(value)
  return { partition: { id: textOf(id), name: textOf(name) } }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw damaged('it is no JSON')
  }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) throw damaged('it is no object')
  return value as Readonly<Record<string, unknown>>
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') throw damaged('a name is no text')
  return value
}

const damaged = (what: string): SluiceError => new SluiceError('internal', `a job message is damaged: ${what}`)
