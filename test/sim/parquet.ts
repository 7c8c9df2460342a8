/**
 * The Parquet writer of the simulation: it passes the Arrow stream through behind a magic, so that a check can read it
 * back. It takes a while, so that others happen meanwhile.
 */
import { tableFromIPC } from 'apache-arrow'
import { joinStreams } from '../../core/format/arrow/join-streams.ts'
import { lineageFields, withLineage } from '../../core/format/arrow/lineage-columns.ts'
import { concat, utf8 } from '../../core/kernel/bytes.ts'
import type { Clock } from '../../core/kernel/clock.ts'
import { joinedArrowBytesMax, type ParquetReader, type ParquetWriter } from '../../core/ports/parquet.ts'
import { laterOf, textOf } from './rows.ts'

const magic = utf8('SIMPARQUET')

export function simulatedParquet(clock: Clock): ParquetWriter & ParquetReader {
  return {
    async write(stream) {
      const file = concat([magic, stream])
      await clock.sleep(5)
      return file
    },
    async join(files, { lineage = [] }) {
      const made = joinStreams(
        files.map((file, i) => {
          const from = lineage[i]
          const stream = file.subarray(magic.length)
          return from === undefined ? stream : withLineage(stream, from)
        }),
        joinedArrowBytesMax,
      )
      const file = concat([magic, made.stream])
      await clock.sleep(5)
      return { file, files: made.streams }
    },
    async read(file) {
      await clock.sleep(5)
      return file.subarray(magic.length)
    },
  }
}

const isOfTable = (name: string): boolean => name !== 'p' && lineageFields.every((field) => field.name !== name)

export interface LakeRow {
  /** Of the column p; empty where there is none. */
  readonly partition: string
  readonly bucket: number
  readonly offset: bigint
  readonly timestamp: number
  /** −1 where the row's string is not that of its value. */
  readonly value: bigint
  /** Of format version 3, where the row has been in another file before. */
  readonly rowId?: bigint
}

/** The field id of each of our columns, where it is not the column's. */
export type FieldIds = Readonly<Record<number, number>>

export function rowsOfFile(file: Uint8Array, ids: FieldIds = {}): readonly LakeRow[] {
  if (magic.some((byte, i) => file[i] !== byte)) throw new Error('not a file of the simulated writer')
  const table = tableFromIPC(file.subarray(magic.length))
  const at = new Map(table.schema.fields.map((field, i) => [Number(field.metadata.get('PARQUET:field_id')), i]))
  const first = [4, 5, 1, 2, 3].map((id) => ids[id] ?? id)
  const [v, s, bucket, offset, timestamp] = first.map((id) => {
    const column = table.getChildAt(at.get(id) ?? -1)
    if (column === null) throw new Error(`a data file without column ${id}`)
    return column
  })
  const p = table.getChild('p')
  const rowIds = table.getChild('_row_id')
  // Numbers that are made of v, in columns that came later.
  const later = table.schema.fields.flatMap((field, i) =>
    isOfTable(field.name) && !first.includes(Number(field.metadata.get('PARQUET:field_id'))) ? [table.getChildAt(i)] : [],
  )
  const rows: LakeRow[] = []
  for (let i = 0; i < table.numRows; i++) {
    const value = BigInt(v?.get(i))
    const isSame = later.every((column) => column?.get(i) === null || Number(column?.get(i)) === laterOf(value))
    const isWhole = isSame && (s?.get(i) ?? undefined) === textOf(value)
    rows.push({
      partition: p === null ? '' : String(p.get(i)),
      bucket: Number(bucket?.get(i)),
      offset: BigInt(offset?.get(i)),
      timestamp: Number(timestamp?.get(i)),
      value: isWhole ? value : -1n,
      ...(rowIds !== null && { rowId: BigInt(rowIds.get(i)) }),
    })
  }
  return rows
}
