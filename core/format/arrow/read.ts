/**
 * Foreign Arrow IPC streams as batches of a table: the body of a produce request, hostile until read. Columns go by name, casts
 * are exact or refused, and everything that a reader of the log would rely on is checked here: offsets, UTF-8, ranges, nulls,
 * row sizes. Memory is bounded by a budget, whatever the lengths in the body say. An end-of-stream marker may be missing, as
 * Arrow allows, but no message may be cut.
 */
import { SluiceError } from '../../kernel/errors.ts'
import { limits } from '../../kernel/limits.ts'
import { systemColumns } from '../../model/names.ts'
import { quoted, suggestion } from '../../model/nearest.ts'
import { type Budget, budgetOf, spend } from './budget.ts'
import { castColumn } from './cast.ts'
import { type Casting, nullColumn } from './casting.ts'
import type { Batch, ColumnData, Field } from './column.ts'
import { fieldIds } from './field-ids.ts'
import { damaged, int8Field, int64Field, tableField } from './flatbuffer.ts'
import { type ForeignField, type ForeignType, foreignSchema } from './foreign.ts'
import { type ForeignColumn, foreignColumns, type Zstd } from './foreign-columns.ts'
import { isValid } from './layout.ts'
import { type Message, messageAt, messageKind, recordBatchHeader } from './message.ts'
import { checkRowBytes } from './row-bytes.ts'
import { batchBytes, concatBatches } from './take.ts'

export interface ReadOptions {
  readonly rowsMax?: number
  readonly rowBytesMax?: number
  readonly expandedBytesMax?: number
  /** Without it, ZSTD-compressed buffers are `not-supported`. */
  readonly zstd?: Zstd
  /** Columns go by the field ids that Parquet gave them; those of the stream that are not wanted are ignored. */
  readonly byId?: boolean
  /** Names that columns had before, to their ids. */
  readonly formerNames?: Readonly<Record<string, number>>
}

/**
 * Batches without empty ones, small ones joined. Errors: `invalid-rows`, `unknown-field`, `too-large`, `not-supported`; facts name the
 * column and the row, counted from 0 over the request.
 */
export function readArrowStream(bytes: Uint8Array, fields: readonly Field[], options: ReadOptions = {}): readonly Batch[] {
  refuseFile(bytes)
  const stream = beginStream(fields, options)
  let schema: readonly ForeignField[] | undefined
  for (let at = 0; ; ) {
    const message = messageAt(bytes, at)
    if (message === undefined) break
    at = message.end
    if (message.kind === messageKind.schema) {
      if (schema !== undefined) throw damaged('it has a second schema')
      schema = foreignSchema(message.header)
      stream.plan = options.byId
        ? planById(fieldIds(message.header), fields)
        : planColumns(schema, fields, options.formerNames ?? {})
      for (const field of schema) findDictionaries(field, stream.dictionaryFields)
    } else if (schema === undefined) throw damaged('it does not begin with a schema')
    else if (message.kind === messageKind.recordBatch) readBatch(stream, message, schema)
    else if (message.kind === messageKind.dictionary) readDictionary(stream, message)
  }
  if (schema === undefined) throw new SluiceError('invalid-rows', 'the body has no Arrow schema; an empty stream has one too')
  return joined(stream.batches)
}

/** What the stream says a column is; undefined where it has none of that name. Errors: `invalid-rows`. */
export function streamTypeOf(bytes: Uint8Array, name: string): ForeignType | undefined {
  refuseFile(bytes)
  const message = messageAt(bytes, 0)
  if (message?.kind !== messageKind.schema) return undefined
  return foreignSchema(message.header).find((field) => field.name === name)?.type
}

function refuseFile(bytes: Uint8Array): void {
  if (bytes.length < 6 || String.fromCharCode(...bytes.subarray(0, 6)) !== 'ARROW1') return
  throw new SluiceError('invalid-rows', 'this is an Arrow file; send the Arrow stream format')
}

interface Stream {
  readonly fields: readonly Field[]
  readonly rowsMax: number
  readonly rowBytesMax: number
  readonly zstd: Zstd | undefined
  /** Of decompression, of casting, and of what comes out. */
  readonly expanded: Budget
  readonly work: Budget
  readonly result: Budget
  readonly dictionaries: Map<number, readonly ForeignColumn[]>
  readonly dictionaryFields: Map<number, ForeignField>
  readonly casts: Casting['dictionaries']
  readonly batches: Batch[]
  /** For each of the table's columns its index in the stream, -1 where it is missing. */
  plan: readonly number[]
  rows: number
}

function beginStream(fields: readonly Field[], options: ReadOptions): Stream {
  const bytesMax = options.expandedBytesMax ?? limits.produceExpandedBytesMax
  return {
    fields,
    rowsMax: options.rowsMax ?? limits.produceRowsMax,
    rowBytesMax: options.rowBytesMax ?? limits.rowBytesMax,
    zstd: options.zstd,
    expanded: budgetOf(bytesMax),
    work: budgetOf(4 * bytesMax),
    result: budgetOf(bytesMax),
    dictionaries: new Map(),
    dictionaryFields: new Map(),
    casts: new Map(),
    batches: [],
    plan: [],
    rows: 0,
  }
}

/** By name, or by one that it had; system columns and those that are gone are ignored. */
function planColumns(
  schema: readonly ForeignField[],
  fields: readonly Field[],
  formerNames: Readonly<Record<string, number>>,
): readonly number[] {
  const known = new Map(fields.map((field, i) => [field.name, i]))
  const plan = new Array<number>(fields.length).fill(-1)
  for (const [i, { name }] of schema.entries()) {
    const former = Object.hasOwn(formerNames, name) ? formerNames[name] : undefined
    const column = known.get(name) ?? indexOfId(fields, former)
    if (column === undefined) {
      if (former !== undefined || (systemColumns as readonly string[]).includes(name)) continue
      throw new SluiceError('unknown-field', `the table has no column ${quoted(name)}${suggestion(name, known.keys())}`, {
        facts: { field: name },
      })
    }
    if (plan[column] !== -1)
      throw new SluiceError('invalid-rows', `the column ${quoted(name)} comes twice`, { facts: { column: name } })
    plan[column] = i
  }
  return plan
}

const planById = (ids: readonly (number | undefined)[], fields: readonly Field[]): readonly number[] =>
  fields.map(({ id }) => ids.indexOf(id))

function indexOfId(fields: readonly Field[], id: number | undefined): number | undefined {
  const found = id === undefined ? -1 : fields.findIndex((field) => field.id === id)
  return found < 0 ? undefined : found
}

function readBatch(stream: Stream, message: Message, schema: readonly ForeignField[]): void {
  const header = recordBatchHeader(message.header)
  if (header.rows < 0 || stream.rows + header.rows > stream.rowsMax) {
    throw new SluiceError('too-large', `a request has at most ${stream.rowsMax} rows`, { facts: { rowsMax: stream.rowsMax } })
  }
  const columns = foreignColumns({ ...stream, header, body: message.body }, schema)
  if (header.rows === 0) return
  const batch = {
    rows: header.rows,
    fields: stream.fields,
    columns: stream.fields.map((field, i) => tableColumn(stream, field, columns[stream.plan[i] ?? -1], header.rows)),
  }
  // 256 bytes a column stand for what each batch costs whatever its rows are
  spend(stream.result, batchBytes(batch) + 256 * batch.columns.length)
  checkRowBytes(batch, stream.rowBytesMax, stream.rows)
  stream.rows += batch.rows
  stream.batches.push(batch)
}

function tableColumn(stream: Stream, field: Field, source: ForeignColumn | undefined, rows: number): ColumnData {
  if (source === undefined) {
    if (!field.nullable)
      throw new SluiceError('invalid-rows', `the column ${quoted(field.name)} is not nullable and is missing`, {
        facts: { column: field.name },
      })
    return nullColumn(field.type, rows, stream.work)
  }
  const column = castColumn(source, field.type, {
    path: field.name,
    isNested: false,
    firstRow: stream.rows,
    work: stream.work,
    dictionaries: stream.casts,
  })
  if (!field.nullable && column.nullCount > 0) throw nullProblem(field, column, stream.rows)
  return column
}

function nullProblem(field: Field, column: ColumnData, firstRow: number): SluiceError {
  let row = 0
  while (row < column.length && isValid(column, row)) row++
  return new SluiceError(
    'invalid-rows',
    `column ${quoted(field.name)}, row ${firstRow + row}: it is null, and the column is not nullable`,
    {
      facts: { column: field.name, row: firstRow + row },
    },
  )
}

function readDictionary(stream: Stream, message: Message): void {
  const id = int64Field(message.header, 0)
  const inner = tableField(message.header, 1)
  const field = stream.dictionaryFields.get(id)
  if (inner === undefined || field === undefined) throw damaged('a dictionary belongs to no column')
  const header = recordBatchHeader(inner)
  const reader = { ...stream, header, body: message.body }
  const isDelta = int8Field(message.header, 2) !== 0
  const before = isDelta ? (stream.dictionaries.get(id) ?? []) : []
  // a long chain of deltas would copy the chain at each
  spend(stream.work, 8 * (before.length + 1))
  stream.dictionaries.set(id, [...before, ...foreignColumns(reader, [field])])
}

/** The value fields of all dictionaries, by id. */
function findDictionaries(field: ForeignField, found: Map<number, ForeignField>): void {
  if (field.dictionary !== undefined && !found.has(field.dictionary.id)) {
    found.set(field.dictionary.id, { name: field.name, type: field.type, children: field.children })
  }
  for (const child of field.children) findDictionaries(child, found)
}

/** Neighbours joined while they stay below a frame's size: many small batches would cost a frame each. */
function joined(batches: readonly Batch[]): readonly Batch[] {
  if (batches.length < 2) return batches
  const out: Batch[] = []
  let group: Batch[] = []
  let bytes = 0
  for (const batch of batches) {
    const size = batchBytes(batch)
    if (group.length > 0 && bytes + size > limits.frameBytesMax) {
      out.push(concatBatches(group))
      group = []
      bytes = 0
    }
    group.push(batch)
    bytes += size
  }
  out.push(concatBatches(group))
  return out
}
