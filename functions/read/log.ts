/**
 * GET …/log: rows of one bucket from exactly an offset. The body is planned, complete and bounded: as Arrow the stored
 * frames pass through; as JSON rows are written until the bytes are used up, at least one. Nothing new: an empty stream.
 */
import { media } from '../../contract/media.ts'
import { encodeSchemaMessage, endOfStream } from '../../core/format/arrow/schema.ts'
import { concat } from '../../core/kernel/bytes.ts'
import type { Fetched, FetchRequest } from '../../core/log/types.ts'
import type { Table } from '../../core/model/table.ts'
import type { Handler, Reply } from '../call.ts'
import { withTable } from '../tables.ts'
import { encodeCursor } from './cursor.ts'
import { fetchRequestOf } from './fetch-request.ts'
import { encodeJsonRows, jsonWrappingBytes } from './json-rows.ts'

export const fetchLog: Handler<'fetch'> = ({ params, query, wants }, world) =>
  withTable(world.tables, params, async (table) => {
    const partition = await world.log.partition(table, query.partition ?? '')
    const asked = fetchRequestOf(table, partition, query, wants)
    const schema = wants === media.arrow ? encodeSchemaMessage(table.schema.columns) : nothing
    const request = { ...asked, bytesMax: Math.max(0, asked.bytesMax - wrappingBytes(wants, schema)) }
    const fetched = await world.log.fetch(table, request)
    const body =
      wants === media.arrow
        ? arrowBody(schema, fetched)
        : encodeJsonRows(table, fetched, { ndjson: wants === media.ndjson, bytesMax: request.bytesMax })
    world.meter.add('rows.fetched', body.rows)
    return fetchedReply(table, request, { fetched, wants, ...body })
  })

const nothing = new Uint8Array(0)

/** What a body has besides its rows: it counts too. */
function wrappingBytes(wants: string, schema: Uint8Array): number {
  if (wants === media.arrow) return schema.length + endOfStream.length
  return wants === media.json ? jsonWrappingBytes : 0
}

function arrowBody(schema: Uint8Array, { frames }: Fetched): { bytes: Uint8Array; rows: number } {
  const bytes = concat([schema, ...frames.map((frame) => frame.bytes), endOfStream])
  return { bytes, rows: frames.reduce((rows, frame) => rows + frame.rows, 0) }
}

interface Body {
  readonly fetched: Fetched
  readonly wants: string
  readonly bytes: Uint8Array
  readonly rows: number
}

function fetchedReply(table: Table, { bucket }: FetchRequest, { fetched, wants, bytes, rows }: Body): Reply {
  const next = fetched.start + BigInt(rows)
  return {
    status: 200,
    headers: {
      'Content-Type': wants,
      'Sluice-Rows': String(rows),
      'Sluice-Start-Offset': fetched.start.toString(),
      'Sluice-Next-Offset': next.toString(),
      'Sluice-End-Offset': fetched.end.toString(),
      'Sluice-Cursor': encodeCursor({ tableId: table.tableId, bucket, offset: next }),
    },
    body: bytes,
  }
}
