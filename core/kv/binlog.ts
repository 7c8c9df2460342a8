/**
 * A changelog as changes: one row for each, with the row before and the row after it, at the offset of its last record. A `-U` is only
 * the first half of a change: where a page begins behind it, it is read again, so that no border of a page tears a change. With
 * `changelog.image=wal` there is no `-U`, and nothing before an update. A filter selects a change by any of its records.
 */
import type { Batch, ColumnData, Field } from '../format/arrow/column.ts'
import { buffersOf } from '../format/arrow/column-buffers.ts'
import { selectRows } from '../format/arrow/filter.ts'
import { assert, present } from '../kernel/assert.ts'
import { SluiceError } from '../kernel/errors.ts'
import { type Offset, offsetOf } from '../kernel/ids.ts'
import { limits } from '../kernel/limits.ts'
import { decodeBuffers } from '../log/read/conform.ts'
import type { PageRequest } from '../log/read/page.ts'
import type { Reading, Step } from '../log/read/reading.ts'
import { type FetchedRows, fetchedRows, offsetAt } from '../log/read/rows.ts'
import { isSystemColumn, systemData } from '../log/read/system.ts'
import { walk } from '../log/read/walk.ts'
import { type ChangelogColumn, changes, opColumn } from '../model/changelog.ts'
import { columnsOf, type Filter, type FilterColumn } from '../model/filter.ts'
import type { Table } from '../model/table.ts'
import { batchOf, type Row, rowsOf } from './values.ts'

export interface BinlogRequest {
  /** Of the table, at least one: those that the rows before and after have. */
  readonly columns: readonly Field[]
  readonly filter?: Filter
  readonly changesMax: number
}

/** The columns of changes. */
export function binlogColumns(columns: readonly Field[]): readonly ChangelogColumn[] {
  const type = { kind: 'row' as const, fields: columns.map(({ id, name, type: own }) => ({ id, name, type: own })) }
  return [{ name: 'before', type, nullable: true, id: -4 }, { name: 'after', type, nullable: true, id: -5 }, opColumn]
}

type BinlogPage = Pick<PageRequest, 'fields' | 'filter' | 'rowsMax' | 'shape'>

/** What makes a page of records one of changes. */
export function binlogPage(request: BinlogRequest): BinlogPage {
  const { columns, filter, changesMax } = request
  const known = new Set([...columns, opColumn].map(({ id }) => id))
  const more = filter === undefined ? [] : columnsOf(filter).filter((column) => !isSystemColumn(column) && !known.has(column.id))
  const fields = [...columns, ...more.map((column): Field => ({ ...column, nullable: true })), opColumn]
  return {
    fields,
    ...(filter && { filter }),
    rowsMax: filter === undefined ? recordsPerChangeMax * changesMax : limits.fetchRowsMax,
    shape: async (reading, table, walked) => {
      const binlog = new Binlog({ reading, table, fields, request })
      const steps: Step[] = []
      let left = changesMax
      for (const step of walked.steps) {
        if (left === 0) break
        const shaped = step.rows === undefined ? step : await binlog.shape(step, step.rows, left)
        left -= shaped.rows?.rows ?? 0
        steps.push(shaped)
      }
      return steps
    },
  }
}

const recordsPerChangeMax = 2

interface BinlogReading {
  readonly reading: Reading
  readonly table: Table
  /** Of a record: the columns of the request, those of its filter, `opColumn`. */
  readonly fields: readonly Field[]
  readonly request: BinlogRequest
}

interface LogRecord {
  /** In the columns of the request. */
  readonly row: Row
  readonly op: number
  readonly isSelected: boolean
}

class Binlog {
  readonly #at: BinlogReading
  readonly #columns: readonly Field[]
  /** By index of its bucket: the `-U` that came last. */
  readonly #halves = new Map<number, LogRecord>()

  constructor(at: BinlogReading) {
    this.#at = at
    this.#columns = binlogColumns(at.request.columns)
  }

  async shape({ bucket, next }: Step, fetched: FetchedRows, changesMax: number): Promise<Step> {
    const found: Row[] = []
    const indices: number[] = []
    for (const [i, record] of this.#recordsOf(fetched).entries()) {
      const { row, op, isSelected } = record
      if (op === changes.updateBefore) {
        this.#halves.set(bucket, record)
        continue
      }
      const half = op === changes.updateAfter ? await this.#halfBefore(bucket, fetched, i) : undefined
      this.#halves.delete(bucket)
      if (!isSelected && half?.isSelected !== true) continue
      found.push(op === changes.delete ? [row, null, op] : [half?.row ?? null, row, op])
      indices.push(i)
      if (found.length === changesMax) break
    }
    const last = indices.at(-1)
    if (last === undefined) return { bucket, next }
    const isCut = found.length === changesMax
    return { bucket, next: isCut ? offsetOf(offsetAt(fetched, last) + 1n) : next, rows: this.#rowsOf(fetched, found, indices) }
  }

  #recordsOf(fetched: FetchedRows): readonly LogRecord[] {
    const { fields, request } = this.#at
    const batch = decodeBuffers(fields, fetched.rows, fetched.columns())
    const isSelected = selectionOf(request.filter, batch, fetched)
    const { length } = request.columns
    return rowsOf(batch).map((values, i) => ({
      row: values.slice(0, length),
      op: values.at(-1) as number,
      isSelected: isSelected(i),
    }))
  }

  async #halfBefore(bucket: number, fetched: FetchedRows, index: number): Promise<LogRecord | undefined> {
    if (this.#at.table.options.keyed?.changelogImage === 'wal') return undefined
    return this.#halves.get(bucket) ?? this.#readBefore(fetched, offsetAt(fetched, index))
  }

  /** They are of one commit: where the `+U` is in the log, the `-U` is. */
  async #readBefore({ partition, bucket }: FetchedRows, offset: Offset): Promise<LogRecord> {
    const { reading, table, fields } = this.#at
    const from = offsetOf(offset - 1n)
    const { steps } = await walk(reading, table, { buckets: [{ partition, bucket, from }], fields, rowsMax: 1, bytesMax: 1 })
    const fetched = steps.find(({ rows }) => rows !== undefined)?.rows
    if (fetched === undefined)
      throw new SluiceError('unavailable', `offset ${from} of bucket ${bucket} cannot be read in time: try again`)
    const record = present(this.#recordsOf(fetched)[0], 'a row of rows')
    assert(record.op === changes.updateBefore, 'a +U stands behind its -U', { bucket, offset: `${offset}` })
    return record
  }

  #rowsOf({ partition, bucket, offset, timestamp }: FetchedRows, found: readonly Row[], indices: readonly number[]): FetchedRows {
    const picked = { base: offset, indices: Uint32Array.from(indices) }
    const first = offsetOf(offset + BigInt(present(indices[0], 'the place of a change')))
    const { columns } = batchOf(this.#columns, found)
    return fetchedRows({ partition, bucket, offset: first, timestamp, rows: found.length, picked }, columns.map(buffersOf))
  }
}

function selectionOf(filter: Filter | undefined, batch: Batch, fetched: FetchedRows): (row: number) => boolean {
  if (filter === undefined) return () => true
  const place = { ...fetched, partition: fetched.partition.name }
  const columnOf = (column: FilterColumn): ColumnData =>
    isSystemColumn(column)
      ? systemData(column, place)
      : present(batch.columns[batch.fields.findIndex(({ id }) => id === column.id)], 'a column of the filter')
  const selected = selectRows(filter, batch.rows, columnOf)
  if (typeof selected === 'string') return () => selected === 'all'
  const rows = new Set(selected)
  return (row) => rows.has(row)
}
