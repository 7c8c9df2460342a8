/**
 * Several Arrow streams of one schema as one: the schema once, the record batches of all, one end. Encapsulated messages: 4 bytes of
 * continuation, 4 of metadata length, the metadata; of a schema message there is no body.
 */
import { Failure } from '../failure.ts'

/** Continuation marker and length 0. */
export const endOfStream: Uint8Array = new Uint8Array([255, 255, 255, 255, 0, 0, 0, 0])

const headBytes = 8

/** What of each stream goes out. Errors: the stream was cut off, or has another schema than the first. */
export function arrowJoiner(): (stream: Uint8Array) => Uint8Array {
  let first: Uint8Array | undefined
  return (stream) => {
    const end = stream.length - endOfStream.length
    const schema = stream.subarray(0, schemaEnd(stream))
    if (end < schema.length || Buffer.compare(stream.subarray(end), endOfStream) !== 0)
      throw new Failure('the server sent an Arrow stream without an end: it was cut off')
    if (first !== undefined && Buffer.compare(first, schema) !== 0)
      throw new Failure('the columns of the table changed while it was read, and an Arrow stream has one schema: fetch again')
    const begin = first === undefined ? 0 : schema.length
    first ??= schema.slice()
    return stream.subarray(begin, end)
  }
}

function schemaEnd(stream: Uint8Array): number {
  if (stream.length < headBytes) return stream.length
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength)
  return headBytes + view.getInt32(4, true)
}
