/** Arrow IPC streams of the same columns as one: the schema message of the first, then the batches of all. Bytes are copied once. */
import { concat, equalBytes, viewOf } from '../../kernel/bytes.ts'
import { fieldIds } from './field-ids.ts'
import { foreignSchema } from './foreign.ts'
import { messageAt } from './message.ts'
import { endOfStream } from './schema.ts'

export interface JoinedStream {
  readonly stream: Uint8Array
  /** How many of the first streams are in it. */
  readonly streams: number
}

/** As many of the first as have the columns of the first one, and are not larger than `bytesMax` together; at least one. */
export function joinStreams(streams: Iterable<Uint8Array>, bytesMax: number): JoinedStream {
  const parts: Uint8Array[] = []
  let bytes = 0
  let count = 0
  let columns: Uint8Array | undefined
  for (const stream of streams) {
    const end = schemaEnd(stream)
    const schema = stream.subarray(0, end)
    const isAlike = columns === undefined || equalBytes(columns, schema) || columnsOf(columns) === columnsOf(schema)
    if (!isAlike || (columns !== undefined && bytes + stream.length > bytesMax)) break
    if (columns === undefined) parts.push(schema)
    columns ??= schema
    parts.push(stream.subarray(end, batchesEnd(stream)))
    bytes += stream.length
    count += 1
  }
  return { stream: concat([...parts, endOfStream]), streams: count }
}

/** One schema may be written in several ways. */
function columnsOf(schema: Uint8Array): string {
  const header = messageAt(schema, 0)?.header
  return header === undefined ? '' : JSON.stringify([fieldIds(header), foreignSchema(header)])
}

/** After the first message, which has no body. */
const schemaEnd = (stream: Uint8Array): number => 8 + viewOf(stream).getInt32(4, true)

function batchesEnd(stream: Uint8Array): number {
  const end = stream.length - endOfStream.length
  return equalBytes(stream.subarray(end), endOfStream) ? end : stream.length
}
