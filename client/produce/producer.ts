/**
 * Rows to a table: gathered for a moment, dealt to lanes, sent. Rows of a table with a bucket key go to the lane of their bucket, by the
 * server's own hash, so rows of one key keep their order; others go to the lanes in turn, a batch each. Memory is bounded: writing waits.
 * A row that was written is in the log once when `flush` resolves. The first error that no repeat can mend ends the producer.
 */

import { media } from '../../contract/media.ts'
import { bucketRows } from '../../core/format/arrow/bucket.ts'
import type { Field } from '../../core/format/arrow/column.ts'
import { encodeFrame } from '../../core/format/arrow/frame.ts'
import { encodeSchemaMessage, endOfStream } from '../../core/format/arrow/schema.ts'
import { decodeRows } from '../../core/format/json/decode.ts'
import { assert } from '../../core/kernel/assert.ts'
import { concat, hex } from '../../core/kernel/bytes.ts'
import { SluiceError } from '../../core/kernel/errors.ts'
import { limits } from '../../core/kernel/limits.ts'
import { opColumn } from '../../core/model/changelog.ts'
import type { TableDescription } from '../answers.ts'
import { columnsText, queryText, tablePath } from '../paths.ts'
import type { Connection } from '../request.ts'
import { fieldsOf } from '../schema.ts'
import { type Row, rowLine, type Types } from '../values.ts'
import { type Acked, Lane } from './lane.ts'

export interface ProducerOptions {
  /** Requests in flight; 4 if absent, and no more than the table has buckets. */
  readonly lanes?: number
  /** How long a row waits for others; 5 ms if absent. */
  readonly lingerMs?: number
  /** Of a request, as lines; 1 MiB if absent, at most 4 MiB. */
  readonly batchBytes?: number
  /** Of all rows that are not acked; writing waits above it. 32 MiB if absent. */
  readonly bufferBytesMax?: number
  /** Lanes are `<producerId>-<lane>`; random if absent. One that is used again needs a greater epoch. */
  readonly producerId?: string
  readonly epoch?: bigint | number
  readonly format?: 'ndjson' | 'arrow'
  /** Of a partial update or a partial delete, with the primary key among them; the other columns stay. */
  readonly columns?: readonly string[]
  /** How long a request is repeated; 2 min if absent. */
  readonly retryForMs?: number
  readonly onAcked?: (acked: Acked) => void
}

interface Staged {
  readonly line: Uint8Array
  /** What the bucket is found by; the line itself if absent. */
  readonly key: Uint8Array | undefined
}

export class Producer {
  readonly #table: TableDescription
  readonly #fields: readonly Field[]
  readonly #keyFields: readonly Field[]
  readonly #types: Types
  readonly #lanes: readonly Lane[]
  readonly #options: Required<Pick<ProducerOptions, 'lingerMs' | 'batchBytes' | 'bufferBytesMax'>>
  readonly #end = new AbortController()
  #staged: Staged[] = []
  #stagedBytes = 0
  #bufferedBytes = 0
  #turn = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #waiting: (() => void)[] = []
  #failure: unknown
  #isClosed = false

  constructor(connection: Connection, table: TableDescription, options: ProducerOptions = {}) {
    const { lanes = 4, lingerMs = 5, batchBytes = 1024 * 1024, bufferBytesMax = 32 * 1024 * 1024, format = 'ndjson' } = options
    if (!(lanes >= 1 && lanes <= 64)) throw wrong(`lanes must be from 1 to 64, not ${lanes}`)
    if (!(batchBytes >= 1 && batchBytes <= limits.produceBodyBytesMax)) throw wrong('batchBytes must be from 1 to 4 MiB')
    this.#table = table
    this.#fields = fieldsOf(table)
    // the server has the last word on nulls: here a key only says which lane
    const key = table.buckets.key ?? []
    this.#keyFields = this.#fields.filter(({ name }) => key.includes(name)).map((field) => ({ ...field, nullable: true }))
    this.#types = new Map(this.#fields.map(({ name, type }) => [name, type]))
    const sent = sentFields(table, this.#fields, options.columns)
    const query = queryText({ columns: options.columns && columnsText(options.columns) })
    this.#options = { lingerMs, batchBytes, bufferBytesMax }
    const id = options.producerId ?? hex(crypto.getRandomValues(new Uint8Array(12)))
    this.#lanes = Array.from({ length: Math.min(lanes, table.buckets.count) }, (_, lane) => {
      return new Lane(
        { ...connection, retryForMs: options.retryForMs ?? 120_000 },
        {
          path: `${tablePath(table.database, table.name)}/records${query}`,
          producerId: `${id}-${lane}`,
          epoch: String(options.epoch ?? 0),
          contentType: format === 'arrow' ? media.arrow : media.ndjson,
          batchBytes,
          encode: format === 'arrow' ? (lines) => arrowOf(lines, sent) : (lines) => lines,
          signal: this.#end.signal,
          onAcked: (acked) => {
            this.#bufferedBytes -= acked.bytes
            this.#wake()
            options.onAcked?.(acked)
          },
          onFailed: (error) => this.#fail(error),
        },
      )
    })
  }

  /**
   * Resolves when the rows are buffered. In a table with a primary key they are upserts, but for a row that says something else in
   * `__op`. Errors: a row that cannot be written, and then none of these is; what ended the producer before.
   */
  async write(rows: Row | readonly Row[]): Promise<void> {
    const staged = (Array.isArray(rows) ? (rows as readonly Row[]) : [rows as Row]).map((row) => {
      const key = this.#isByKey ? rowLine(this.#keyOf(row), this.#types) : undefined
      return { line: fitting(rowLine(row, this.#types)), key }
    })
    for (const each of staged) await this.#stage(each)
  }

  /** Rows whose keys these are go, in order with what is written. */
  async delete(keys: Row | readonly Row[]): Promise<void> {
    const { database, name, primaryKey } = this.#table
    if (primaryKey.length === 0) throw wrong(`${database}.${name} has no primary key: nothing can be deleted`)
    const rows = Array.isArray(keys) ? (keys as readonly Row[]) : [keys as Row]
    await this.write(rows.map((row) => ({ ...row, [opColumn.name]: 'D' })))
  }

  /** Rows as they stand: NDJSON, whole lines. */
  async writeLines(text: Uint8Array): Promise<void> {
    for (let at = 0; at < text.length; ) {
      const end = text.indexOf(10, at)
      const line = end === -1 ? concat([text.subarray(at), new Uint8Array([10])]) : text.subarray(at, end + 1)
      at = end === -1 ? text.length : end + 1
      if (line.some((byte) => byte > 0x20)) await this.#stage({ line: fitting(line), key: undefined })
    }
  }

  /** Resolves when all rows written so far are in the log. */
  async flush(): Promise<void> {
    this.#deal()
    for (const lane of this.#lanes) await lane.idle()
    this.#throwFailure()
  }

  /** Flushes; nothing can be written after it. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.flush()
  }

  get #isByKey(): boolean {
    return this.#keyFields.length > 0 && this.#lanes.length > 1
  }

  #keyOf(row: Row): Row {
    return Object.fromEntries(this.#keyFields.map(({ name }) => [name, row[name]]))
  }

  async #stage(staged: Staged): Promise<void> {
    const { length } = staged.line
    while (
      this.#bufferedBytes > 0 &&
      this.#bufferedBytes + length > this.#options.bufferBytesMax &&
      this.#failure === undefined
    ) {
      this.#deal()
      if (this.#failure === undefined) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    this.#throwFailure()
    if (this.#isClosed) throw wrong('this producer is closed')
    this.#staged.push(staged)
    this.#stagedBytes += length
    this.#bufferedBytes += length
    if (this.#stagedBytes >= this.#options.batchBytes * (this.#isByKey ? this.#lanes.length : 1)) this.#deal()
    else this.#timer ??= setTimeout(() => this.#deal(), this.#options.lingerMs)
  }

  /** Staged rows to their lanes. */
  #deal(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const staged = this.#staged
    if (staged.length === 0 || this.#failure !== undefined) return
    this.#staged = []
    this.#stagedBytes = 0
    try {
      const lanes = this.#lanesOf(staged)
      for (const [row, { line }] of staged.entries()) this.#lane(lanes[row] ?? 0).add(line)
      for (const lane of this.#lanes) lane.start()
    } catch (error) {
      this.#fail(error)
    }
  }

  #lanesOf(staged: readonly Staged[]): ArrayLike<number> {
    const count = this.#lanes.length
    if (!this.#isByKey) return new Array(staged.length).fill(this.#turn++ % count)
    const isWhole = staged.some(({ key }) => key === undefined)
    const text = concat(staged.map(({ line, key }) => (isWhole ? line : (key ?? line))))
    const [batch] = decodeRows(text, isWhole ? sentFields(this.#table, this.#fields) : this.#keyFields, 'ndjson', {
      expandedBytesMax: 8 * text.length + 1024 * 1024,
    })
    assert(batch?.rows === staged.length, 'a line is a row')
    return bucketRows(batch, this.#table.buckets.key ?? [], this.#table.buckets.count).map((bucket) => bucket % count)
  }

  #lane(number: number): Lane {
    const lane = this.#lanes[number]
    assert(lane !== undefined, 'a lane', { number })
    return lane
  }

  #fail(error: unknown): void {
    this.#failure ??= error
    this.#end.abort()
    this.#wake()
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure
  }
}

/** Of a keyed table only the key must be in every row, and a row may say what it asks. */
function sentFields({ primaryKey }: TableDescription, fields: readonly Field[], columns?: readonly string[]): readonly Field[] {
  if (primaryKey.length === 0) return fields
  const some = columns === undefined ? fields : fields.filter(({ name }) => columns.includes(name))
  const own = some.map((field) => ({ ...field, nullable: !primaryKey.includes(field.name) }))
  return [...own, { ...opColumn, type: { kind: 'string' }, nullable: true }]
}

function fitting(line: Uint8Array): Uint8Array {
  if (line.length > limits.rowBytesMax * 4) throw wrong(`a row has ${line.length} bytes, more than a request takes`)
  return line
}

function arrowOf(lines: Uint8Array, fields: readonly Field[]): Uint8Array {
  const batches = decodeRows(lines, fields, 'ndjson')
  return concat([encodeSchemaMessage(fields), ...batches.map((batch) => encodeFrame(batch)), endOfStream])
}

const wrong = (message: string): SluiceError => new SluiceError('bad-request', message)
