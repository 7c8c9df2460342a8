/**
 * Frames as the rows that a reader asked for: the wanted columns are read, as they lie; where the statistics of a frame do not decide
 * a filter the columns that it names are read too, and the rows that it selects are taken out. Rows are cut to the offsets asked for.
 */
import type { ColumnData, Field } from '../../format/arrow/column.ts'
import {
  buffersOf,
  type ColumnBuffers,
  decodeColumn,
  flatLayout,
  isFlat,
  slicedBuffers,
} from '../../format/arrow/column-buffers.ts'
import { selectRows } from '../../format/arrow/filter.ts'
import { scanFrame } from '../../format/arrow/frame.ts'
import { metadataLength } from '../../format/arrow/frame-metadata.ts'
import { bufferCount, nodeCount } from '../../format/arrow/layout.ts'
import type { Verdict } from '../../format/arrow/prune.ts'
import { gatherColumn, padded, sliceColumn } from '../../format/arrow/take.ts'
import { columnBytes, verifyColumn, verifyFrame, verifyMetadata } from '../../format/segment/block.ts'
import { present } from '../../kernel/assert.ts'
import { type Offset, offsetOf } from '../../kernel/ids.ts'
import type { Filter, FilterColumn } from '../../model/filter.ts'
import type { BucketRef } from '../../model/partition.ts'
import type { Schema } from '../../model/table.ts'
import { conformBuffers, isWhole, type Source, sourceOf } from './conform.ts'
import type { StoredFrame } from './frames.ts'
import type { Front, Wanted } from './merged.ts'
import type { RangeReader } from './ranges.ts'
import { isSystemColumn, type RowsPlace, systemData } from './system.ts'

/** Rows of one commit or a part of it, of one bucket, in the columns that were asked for. */
export interface FetchedRows extends BucketRef {
  /** Of the first row. */
  readonly offset: Offset
  /** ms since 1970: the committer's clock. */
  readonly timestamp: number
  readonly rows: number
  /** Which rows they are of a run that begins at `base`; absent: row i is at offset + i. */
  readonly picked?: { readonly base: Offset; readonly indices: Uint32Array }
  /** As wanted, in order. */
  readonly columns: () => readonly ColumnBuffers[]
  /** The Arrow message as it is stored, where that is the same. Shared: nobody writes into it. */
  readonly message?: Uint8Array
  /** In front of the columns: whoever makes a frame of them may write its metadata there. */
  readonly room?: Uint8Array | undefined
  /** Of Arrow, about. */
  readonly bytes: number
}

export const offsetAt = ({ offset, picked }: FetchedRows, row: number): Offset =>
  offsetOf(picked === undefined ? offset + BigInt(row) : picked.base + BigInt(picked.indices[row] as number))

/** How frames of one schema are read. */
export interface FrameForm {
  readonly schema: Schema
  readonly sources: readonly Source[]
  readonly isWhole: boolean
  readonly filter: Filter | undefined
  readonly filterSources: ReadonlyMap<FilterColumn, Source>
  /** What is read of a frame, by the verdict on it. */
  readonly needed: Readonly<Record<FrameRead['verdict'], Needed>>
  /** Of the columns that were asked for. */
  readonly nodes: number
  readonly buffers: number
}

interface Needed {
  /** Indices of stored columns. */
  readonly columns: readonly number[]
  /** One of them is nested. */
  readonly isMetadataNeeded: boolean
}

export function frameForm(
  schema: Schema,
  fields: readonly Field[],
  filter: Filter | undefined,
  filterColumns: readonly FilterColumn[],
): FrameForm {
  const sources = fields.map((field) => sourceOf(schema, field))
  const filterSources = new Map(
    filterColumns
      .filter((column) => !isSystemColumn(column))
      .map((column) => [column, sourceOf(schema, { ...column, nullable: true })] as const),
  )
  const needed = {
    all: neededOf(schema, sources),
    some: neededOf(schema, [...sources, ...filterSources.values()]),
  }
  const nodes = fields.reduce((count, { type }) => count + nodeCount(type), 0)
  const buffers = fields.reduce((count, { type }) => count + bufferCount(type), 0)
  return { schema, sources, isWhole: isWhole(schema, sources), filter, filterSources, needed, nodes, buffers }
}

function neededOf(schema: Schema, sources: readonly Source[]): Needed {
  const columns = [...new Set(sources.flatMap(({ stored }) => (stored === undefined ? [] : [stored.index])))]
  return { columns, isMetadataNeeded: columns.some((index) => !isFlat(present(schema.columns[index], 'a stored column').type)) }
}

/** A frame of which something is wanted. */
export interface FrameRead extends BucketRef {
  readonly stored: StoredFrame
  readonly form: FrameForm
  readonly verdict: Exclude<Verdict, 'none'>
}

/** What of a frame is there. */
export interface LoadedFrame {
  /** Those that were asked for, by their index. */
  readonly column: (index: number) => ColumnBuffers
  /** All of it. */
  readonly message?: Uint8Array
  /** As in the rows. */
  readonly room?: Uint8Array | undefined
}

/** Bytes that reading the frame takes, about. */
export function readBytes({ stored, form, verdict }: FrameRead): number {
  if (form.isWhole || stored.message !== undefined) return stored.frame.bytes
  let bytes = 0
  for (const index of form.needed[verdict].columns) {
    const { start, end } = present(stored.frame.columns[index], 'a column of a frame')
    bytes += end - start
  }
  return bytes
}

/** In the order of `reads`. */
export async function loadFrames(ranges: RangeReader, reads: readonly FrameRead[]): Promise<readonly LoadedFrame[]> {
  const plans = reads.map(planRead)
  const all = await ranges.read(plans.flatMap(({ wanted }) => wanted))
  let at = 0
  return plans.map(({ wanted, load }) => {
    const bytes = all.slice(at, at + wanted.length)
    at += wanted.length
    return load(bytes)
  })
}

interface ReadPlan {
  readonly wanted: readonly Wanted[]
  readonly load: (bytes: readonly Uint8Array[]) => LoadedFrame
}

function planRead(read: FrameRead): ReadPlan {
  const { stored, form, verdict } = read
  const { message } = stored
  if (message !== undefined) return { wanted: [], load: () => loadedMessage(read, message) }
  if (form.isWhole)
    return { wanted: [wholeRange(stored)], load: ([bytes]) => loadedMessage(read, present(bytes, 'a frame that was read')) }
  const { columns: needed, isMetadataNeeded } = form.needed[verdict]
  let room: Uint8Array | undefined
  const front = {
    bytes: metadataLength(read.partition.name, form.nodes, form.buffers),
    give: (given: Uint8Array) => {
      room = given
    },
  }
  const columns = needed.map((index, i) => columnRange(stored, index, i === 0 ? front : undefined))
  return {
    wanted: isMetadataNeeded ? [metadataRange(stored), ...columns] : columns,
    load: (bytes) => {
      const own = isMetadataNeeded ? bytes.slice(1) : bytes
      const column = (index: number): Uint8Array => present(own[needed.indexOf(index)], 'a column that was read')
      return { column: columnsIn(read, bytes[0], column), room }
    },
  }
}

function loadedMessage(read: FrameRead, message: Uint8Array): LoadedFrame {
  return { message, column: columnsIn(read, message, (index) => columnBytes(read.stored.frame, index, message)) }
}

/** `metadata`: at least where one of the columns that are asked for is nested. */
function columnsIn(
  { stored, form }: FrameRead,
  metadata: Uint8Array | undefined,
  bytesOf: (index: number) => Uint8Array,
): LoadedFrame['column'] {
  let scanned: ReturnType<typeof scanFrame> | undefined
  return (index) => {
    const field = present(form.schema.columns[index], 'a stored column')
    const bytes = bytesOf(index)
    const { nulls } = present(stored.frame.columns[index], 'a column of a frame')
    if (isFlat(field.type)) return slicedBuffers(flatLayout(field, stored.rows, nulls, bytes), bytes)
    scanned ??= scanFrame(present(metadata, 'the metadata of a frame with nested columns'), form.schema.columns)
    return slicedBuffers(present(scanned.columns[index], 'the layout of a column'), bytes)
  }
}

function wholeRange({ key, place, frame }: StoredFrame): Wanted {
  const verify = (bytes: Uint8Array): boolean => {
    verifyFrame(frame, bytes, key, place)
    return true
  }
  return { key, start: place + frame.start, end: place + frame.start + frame.bytes, verify }
}

function columnRange({ key, place, frame }: StoredFrame, index: number, front: Front | undefined): Wanted {
  const { start, end } = present(frame.columns[index], 'a column of a frame')
  const body = place + frame.start + frame.metadata.bytes
  const verify = (bytes: Uint8Array): boolean => {
    verifyColumn(frame, index, bytes, key, place)
    return true
  }
  return { key, start: body + start, end: body + end, verify, front }
}

function metadataRange({ key, place, frame }: StoredFrame): Wanted {
  const verify = (bytes: Uint8Array): boolean => {
    verifyMetadata(frame, bytes, key, place)
    return true
  }
  return { key, start: place + frame.start, end: place + frame.start + frame.metadata.bytes, verify }
}

export interface Cut {
  /** [from, to) of the bucket's offsets. */
  readonly from: Offset
  readonly to: Offset
  readonly rowsMax: number
}

/** At most `rowsMax` rows, none if the filter selects none; and the offset up to which the frame is done with. */
export function cutRows(read: FrameRead, loaded: LoadedFrame, cut: Cut): { readonly rows?: FetchedRows; readonly next: Offset } {
  const { stored } = read
  const first = cut.from > stored.offset ? Number(cut.from - stored.offset) : 0
  const end = cut.to < stored.offset + BigInt(stored.rows) ? Number(cut.to - stored.offset) : stored.rows
  const offsetOfRow = (row: number): Offset => offsetOf(stored.offset + BigInt(row))
  const selected = read.verdict === 'all' ? 'all' : selectedRows(read, loaded)
  if (selected === 'none') return { next: offsetOfRow(end) }
  if (selected === 'all') {
    const last = Math.min(end, first + cut.rowsMax)
    return { rows: runOf(read, loaded, first, last), next: offsetOfRow(last) }
  }
  const inside = selected.filter((row) => row >= first && row < end)
  const next = offsetOfRow(inside[cut.rowsMax] ?? end)
  return inside.length === 0 ? { next } : { rows: pickedOf(read, loaded, inside.subarray(0, cut.rowsMax)), next }
}

function selectedRows(read: FrameRead, loaded: LoadedFrame): ReturnType<typeof selectRows> {
  const { stored, form } = read
  const columnOf = (column: FilterColumn): ColumnData => {
    const source = form.filterSources.get(column)
    return source === undefined ? systemData(column, placeOf(read)) : decoded(source, stored.rows, loaded)
  }
  return selectRows(present(form.filter, 'a filter that statistics did not decide'), stored.rows, columnOf)
}

const placeOf = ({ stored, partition, bucket }: FrameRead): RowsPlace => ({
  partition: partition.name,
  bucket,
  offset: stored.offset,
  timestamp: stored.time,
  rows: stored.rows,
})

const conformed = (source: Source, rows: number, { column }: LoadedFrame): ColumnBuffers =>
  conformBuffers(source, rows, source.stored === undefined ? undefined : column(source.stored.index))

const decoded = (source: Source, rows: number, loaded: LoadedFrame): ColumnData =>
  decodeColumn(source.wanted, rows, conformed(source, rows, loaded))

/** Rows [first, last). */
function runOf(read: FrameRead, loaded: LoadedFrame, first: number, last: number): FetchedRows {
  const { stored, form, partition, bucket } = read
  const base = { partition, bucket, offset: offsetOf(stored.offset + BigInt(first)), timestamp: stored.time, rows: last - first }
  if (first > 0 || last < stored.rows)
    return made(base, form, (source) => buffersOf(sliceColumn(decoded(source, stored.rows, loaded), first, last)))
  const columns = (): readonly ColumnBuffers[] => form.sources.map((source) => conformed(source, stored.rows, loaded))
  if (form.isWhole && loaded.message !== undefined)
    return { ...base, columns, message: loaded.message, bytes: loaded.message.length }
  return made({ ...base, room: loaded.room }, form, (source) => conformed(source, stored.rows, loaded))
}

function pickedOf(read: FrameRead, loaded: LoadedFrame, indices: Uint32Array): FetchedRows {
  const { stored, form, partition, bucket } = read
  const offset = offsetOf(stored.offset + BigInt(present(indices[0], 'a picked row')))
  const picked = { base: stored.offset, indices }
  const base = { partition, bucket, offset, timestamp: stored.time, rows: indices.length, picked }
  return made(base, form, (source) => buffersOf(gatherColumn(decoded(source, stored.rows, loaded), indices)))
}

function made(
  rows: Omit<FetchedRows, 'columns' | 'message' | 'bytes'>,
  form: FrameForm,
  columnOf: (source: Source) => ColumnBuffers,
): FetchedRows {
  return fetchedRows(rows, form.sources.map(columnOf))
}

export function fetchedRows(
  rows: Omit<FetchedRows, 'columns' | 'message' | 'bytes'>,
  columns: readonly ColumnBuffers[],
): FetchedRows {
  let bytes = metadataBytes
  for (const { nodes, buffers } of columns) {
    bytes += 8 * nodes.length
    for (const { length } of buffers) bytes += 16 + padded(length)
  }
  return { ...rows, columns: () => columns, bytes }
}

/** Of a frame without columns, about. */
const metadataBytes = 352
