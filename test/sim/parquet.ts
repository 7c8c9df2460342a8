/**
 * The Parquet writer of the simulation: it passes the Arrow stream through behind a magic, so that a check can read it
 * back. It takes a while, so that others happen meanwhile.
 */
import { tableFromIPC } from 'apache-arrow'
import { concat, utf8 } from '../../core/kernel/bytes.ts'
import type { Clock } from '../../core/kernel/clock.ts'
import type { ParquetWriter } from '../../core/ports/parquet.ts'
import { textOf } from './rows.ts'

const magic = utf8('SIMPARQUET')

export function simulatedParquet(clock: Clock): ParquetWriter {
  return {
    async write(stream) {
      const file = concat([magic, stream])
      await clock.sleep(5)
      return file
    },
  }
}

export interface LakeRow {
  /** Of the column p; empty where there is none. */
  readonly partition: string
  readonly bucket: number
  readonly offset: bigint
  readonly timestamp: number
  /** −1 where the row's string is not that of its value. */
  readonly value: bigint
}

export function rowsOfFile(file: Uint8Array): readonly LakeRow[] {
  if (magic.some((byte, i) => file[i] !== byte)) throw new Error('not a file of the simulated writer')
  const table = tableFromIPC(file.subarray(magic.length))
  const [v, s, bucket, offset, timestamp] = ['v', 's', '__bucket', '__offset', '__timestamp'].map((name) => {
    const column = table.getChild(name)
    if (column === null) throw new Error(`a data file without ${name}`)
    return column
  })
  const p = table.getChild('p')
  const rows: LakeRow[] = []
  for (let i = 0; i < table.numRows; i++) {
    const value = BigInt(v?.get(i))
    const isWhole = (s?.get(i) ?? undefined) === textOf(value)
    rows.push({
      partition: p === null ? '' : String(p.get(i)),
      bucket: Number(bucket?.get(i)),
      offset: BigInt(offset?.get(i)),
      timestamp: Number(timestamp?.get(i)),
      value: isWhole ? value : -1n,
    })
  }
  return rows
}
