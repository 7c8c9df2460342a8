/** Fetched frames as JSON rows, NDJSON or one object, up to a number of bytes but at least one row. */
import { decodeFrame } from '../../core/format/arrow/frame.ts'
import { concat, utf8 } from '../../core/kernel/bytes.ts'
import type { Fetched } from '../../core/log/types.ts'
import type { Table } from '../../core/model/table.ts'
import { encodeLines } from '../zz-rows-json.ts'

export interface JsonForm {
  readonly ndjson: boolean
  readonly bytesMax: number
}

export function encodeJsonRows(
  table: Table,
  { frames }: Fetched,
  { ndjson, bytesMax }: JsonForm,
): { bytes: Uint8Array; rows: number } {
  const lines: Uint8Array[] = []
  let bytes = 0
  frames: for (const frame of frames) {
    const batch = decodeFrame(frame.bytes, table.schema.columns)
    for (const line of encodeLines(batch, (row) => ({
      __offset: String(frame.offset + BigInt(row)),
      __timestamp: frame.timestamp,
    }))) {
      const encoded = utf8(line)
      if (lines.length > 0 && bytes + encoded.length > bytesMax) break frames
      lines.push(encoded)
      bytes += encoded.length + 1
    }
  }
  return {
    bytes: ndjson
      ? concat(lines.flatMap((l) => [l, utf8('\n')]))
      : utf8(`{"rows":[${lines.map((l) => Buffer.from(l).toString()).join(',')}]}`),
    rows: lines.length,
  }
}
