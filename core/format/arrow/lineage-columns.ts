/**
 * The reserved columns of Iceberg's row lineage (spec, "Row Lineage") at the end of an Arrow stream whose rows move to another file:
 * each row takes along its id and the sequence number of the commit that brought it in. A stream that has them already, because its
 * rows have moved before, stays as it is. All other columns go over as they lie.
 */

import { assert } from '../../kernel/assert.ts'
import { concat, viewOf } from '../../kernel/bytes.ts'
import type { FileLineage } from '../../ports/parquet.ts'
import type { Field } from './column.ts'
import type { ColumnBuffers } from './column-buffers.ts'
import { fieldIds } from './field-ids.ts'
import { type FlatTable, fieldAt, rootTable, tableElement, tableField, vectorField } from './flatbuffer.ts'
import { assembleFrame } from './frame.ts'
import { countUp } from './int64.ts'
import { bytesOf } from './layout.ts'
import { firstOf, type Message, messageAt, messageKind, recordBatchHeader, secondOf } from './message.ts'
import { encodeSchemaMessage, endOfStream, framed, metadataVersion5 } from './schema.ts'
import { padded } from './take.ts'

/** With the ids that the specification reserves ("Reserved Field IDs"). */
export const lineageFields: readonly Field[] = [
  { id: 2147483540, name: '_row_id', type: { kind: 'bigint' }, nullable: true },
  { id: 2147483539, name: '_last_updated_sequence_number', type: { kind: 'bigint' }, nullable: true },
]

/** `stream`: of a whole file, uncompressed. */
export function withLineage(stream: Uint8Array, { firstRowId, sequence }: FileLineage): Uint8Array {
  const schema = messageAt(stream, 0)
  assert(schema?.kind === messageKind.schema, 'an Arrow stream begins with its schema')
  if (fieldIds(schema.header).includes(lineageFields[0]?.id)) return stream
  const parts: Uint8Array[] = [extendedSchema(stream.subarray(8, 8 + schema.metadataLength))]
  let next = firstRowId
  for (let message = messageAt(stream, schema.end); message !== undefined; message = messageAt(stream, message.end)) {
    const { rows, columns } = batchOf(message)
    const added = [countUp(rows, next), new BigInt64Array(rows).fill(sequence)].map(
      (values): ColumnBuffers => ({ nodes: [rows, 0], buffers: [new Uint8Array(0), bytesOf(values)] }),
    )
    parts.push(...assembleFrame(rows, [columns, ...added]).pieces)
    next += BigInt(rows)
  }
  return concat([...parts, endOfStream])
}

/** All columns of a batch as one run of nodes and buffers. */
function batchOf({ kind, header, body }: Message): { readonly rows: number; readonly columns: ColumnBuffers } {
  assert(kind === messageKind.recordBatch, 'an Arrow stream of a data file has record batches alone')
  const { rows, nodes, buffers, compression, variadicCounts } = recordBatchHeader(header)
  assert(compression === 'none' && variadicCounts.length === 0, 'the batches of a data file are plain')
  return {
    rows,
    columns: {
      nodes: Array.from({ length: nodes.length }, (_, i) => [firstOf(nodes, i), secondOf(nodes, i)]).flat(),
      buffers: Array.from({ length: buffers.length }, (_, i) => {
        const start = firstOf(buffers, i)
        return body.subarray(start, start + secondOf(buffers, i))
      }),
    },
  }
}

/**
 * The Schema message with the two fields more. Offsets of FlatBuffers point forward and are relative, so a new head refers to the
 * tables of both messages, which follow it as they are: 0 root · 8 vtable, 20 table of Message · 32 vtable, 44 table of Schema ·
 * 56 vector of fields.
 */
function extendedSchema(given: Uint8Array): Uint8Array {
  const added = encodeSchemaMessage(lineageFields, { ids: true }).subarray(8)
  const [own, more] = [given, added].map(schemaOf) as [FlatTable, FlatTable]
  const fields = [own, more].map((table) => vectorField(table, 1, 4))
  const count = fields.reduce((sum, { length }) => sum + length, 0)
  const givenAt = padded(60 + 4 * count)
  const addedAt = givenAt + padded(given.length)
  const out = new Uint8Array(addedAt + added.length)
  const view = viewOf(out)
  const pointTo = (at: number, target: number): void => view.setUint32(at, target - at, true)
  pointTo(0, 20)
  for (const [i, short] of [10, 12, 8, 10, 4].entries()) view.setUint16(8 + 2 * i, short, true)
  view.setInt32(20, 20 - 8, true)
  pointTo(24, 44)
  view.setInt16(28, metadataVersion5, true)
  view.setUint8(30, messageKind.schema)
  const metadataAt = fieldAt(own, 2, 4)
  for (const [i, short] of [10, 12, 0, 4, metadataAt === 0 ? 0 : 8].entries()) view.setUint16(32 + 2 * i, short, true)
  view.setInt32(44, 44 - 32, true)
  pointTo(48, 56)
  if (metadataAt !== 0) pointTo(52, givenAt + metadataAt + own.view.getUint32(metadataAt, true))
  view.setUint32(56, count, true)
  let at = 60
  for (const [i, vector] of fields.entries()) {
    for (let field = 0; field < vector.length; field++, at += 4)
      pointTo(at, (i === 0 ? givenAt : addedAt) + tableElement(vector, field).at)
  }
  out.set(given, givenAt)
  out.set(added, addedAt)
  return framed(out)
}

function schemaOf(metadata: Uint8Array): FlatTable {
  const schema = tableField(rootTable(metadata), 2)
  assert(schema !== undefined, 'a schema message has a schema')
  return schema
}
