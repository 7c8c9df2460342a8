import { readdirSync, readFileSync } from 'node:fs'
import { zstdDecompressSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { concat, viewOf } from '../../kernel/bytes.ts'
import { parseType } from '../../model/type-text.ts'
import type { DataType } from '../../model/types.ts'
import { anyBatch, batchOf, fieldOf, rowsOf } from './batch.case.ts'
import { bucketRows } from './bucket.ts'
import type { Field } from './column.ts'
import { type ForeignField, foreignSchema } from './foreign.ts'
import { decodeFrame, encodeFrame, patchedPieces, scanFrame } from './frame.ts'
import { readPosition } from './frame-metadata.ts'
import { decodeLz4Frame } from './lz4.ts'
import { messageAt } from './message.ts'
import { mutated, survive } from './mutate.case.ts'
import { readArrowStream } from './read.ts'
import { encodeSchemaMessage } from './schema.ts'
import { statisticsById } from './statistics.ts'
import { gatherBatch, sliceBatch, splitBatch } from './take.ts'

const folder = new URL('../../../test/fixtures/arrow/', import.meta.url)
const zstd = (bytes: Uint8Array, expandedBytes: number): Uint8Array =>
  zstdDecompressSync(bytes, { maxOutputLength: expandedBytes })

/** The fields that take a fixture's columns as they are. */
function fieldsOfStream(bytes: Uint8Array): readonly Field[] {
  const message = messageAt(bytes, 0)
  return message === undefined ? [] : foreignSchema(message.header).map((field) => fieldOf(field.name, natural(field)))
}

function natural({ type, children }: ForeignField): DataType {
  const child = (i: number): DataType => natural(children[i] as ForeignField)
  switch (type.kind) {
    case 'int':
      return { kind: 'bigint' }
    case 'float':
      return { kind: 'double' }
    case 'bool':
      return { kind: 'boolean' }
    case 'utf8':
      return { kind: 'string' }
    case 'binary':
    case 'fixed-binary':
      return { kind: 'binary' }
    case 'decimal':
      return { kind: 'decimal', precision: 38, scale: type.scale }
    case 'date':
      return { kind: 'date' }
    case 'time':
      return { kind: 'time', precision: 9 }
    case 'timestamp':
      return { kind: type.zone === undefined ? 'timestamp' : 'timestamp_ltz', precision: 6 }
    case 'struct':
      return { kind: 'row', fields: children.map((field) => ({ id: 0, name: field.name, type: natural(field) })) }
    case 'map': {
      const entries = natural(children[0] as ForeignField)
      const [key, value] = entries.kind === 'row' ? entries.fields : []
      return { kind: 'map', key: key?.type ?? { kind: 'int' }, keyId: 0, value: value?.type ?? { kind: 'int' }, valueId: 0 }
    }
    case 'fixed-list':
      return child(0).kind === 'double'
        ? { kind: 'vector', dimension: type.size, elementId: 0 }
        : { kind: 'array', element: child(0), elementId: 0 }
    case 'list':
      return { kind: 'array', element: child(0), elementId: 0 }
    default:
      return { kind: 'int' }
  }
}

describe('only our errors escape', () => {
  const files = readdirSync(folder).filter((name) => name.endsWith('.arrow'))
  test.each(files)('from a damaged %s', (name) => {
    const bytes = new Uint8Array(readFileSync(new URL(name, folder)))
    const fields = fieldsOfStream(bytes)
    if (name !== 'run-ends.arrow') expect(() => readArrowStream(bytes, fields, { zstd })).not.toThrow()
    survive(bytes, { seed: 1, rounds: 100, msMax: 1000 }, (damaged) => exercise(readArrowStream(damaged, fields, { zstd })))
  })

  test('from damaged streams of ours', () => {
    fc.assert(
      fc.property(anyBatch, fc.nat(), (batch, seed) => {
        const bytes = concat([encodeSchemaMessage(batch.fields), encodeFrame(batch)])
        survive(bytes, { seed, rounds: 20, msMax: 1000 }, (damaged) => exercise(readArrowStream(damaged, batch.fields)))
      }),
      { numRuns: 40, seed: 7 },
    )
  })

  test('from damaged frames', () => {
    fc.assert(
      fc.property(anyBatch, fc.nat(), (batch, seed) => {
        const frame = encodeFrame(batch, { partition: 'p=1' })
        survive(frame, { seed, rounds: 20, msMax: 1000, ours: true }, (damaged) => {
          scanFrame(damaged, batch.fields)
          readPosition(concat(patchedPieces(damaged, { bucket: 1, offset: 1n, timestamp: 1 })))
          const decoded = decodeFrame(damaged, batch.fields)
          gatherBatch(
            decoded,
            Uint32Array.from({ length: decoded.rows }, (_, i) => i),
          )
          splitBatch(decoded, 64)
        })
      }),
      { numRuns: 40, seed: 8 },
    )
  })

  test('from damaged LZ4 frames', () => {
    const frame = Uint8Array.of(
      0x04,
      0x22,
      0x4d,
      0x18,
      0x40,
      0x40,
      0xc0,
      10,
      0,
      0,
      0,
      0x1f,
      0x61,
      1,
      0,
      0xff,
      20,
      0x50,
      98,
      99,
      100,
      101,
      102,
      0,
      0,
      0,
      0,
    )
    survive(frame, { seed: 1, rounds: 500, msMax: 100 }, (damaged) => decodeLz4Frame(damaged, 1000))
  })
})

/** What was accepted can be worked with: nothing in it breaks a later reader. */
function exercise(batches: ReturnType<typeof readArrowStream>): void {
  for (const batch of batches) {
    rowsOf(sliceBatch(batch, 0, Math.min(batch.rows, 20)))
    statisticsById(batch)
    const key = batch.fields.find((_, i) => ['int', 'string'].includes(batch.columns[i]?.type.kind ?? ''))
    bucketRows(batch, key === undefined ? [] : [key.name], 16)
    expect(decodeFrame(encodeFrame(batch), batch.fields).rows).toBe(batch.rows)
  }
}

describe('a small body cannot ask for much', () => {
  const manyFields = Array.from({ length: 1000 }, (_, i) => fieldOf(`c${i}`, parseType('bigint')))

  test('missing columns count', () => {
    const fields = [fieldOf('a', parseType('boolean'))]
    const values = new Uint8Array(125_000)
    const column = {
      type: parseType('boolean'),
      length: 1_000_000,
      nullCount: 0,
      validity: undefined,
      offsets: undefined,
      values,
      children: [],
    }
    const bytes = concat([encodeSchemaMessage(fields), encodeFrame({ rows: 1_000_000, fields, columns: [column] })])
    expect(() => readArrowStream(bytes, [...fields, ...manyFields])).toThrow(expect.objectContaining({ code: 'too-large' }))
  })

  test('empty batches by the thousand count', () => {
    const fields = [fieldOf('a', parseType('tinyint'))]
    const frame = encodeFrame(batchOf(fields, [[1]]))
    const bytes = concat([encodeSchemaMessage(fields), ...new Array<Uint8Array>(4000).fill(frame)])
    const started = performance.now()
    expect(() => readArrowStream(bytes, [...fields, ...manyFields])).toThrow(expect.objectContaining({ code: 'too-large' }))
    expect(performance.now() - started).toBeLessThan(3000)
    expect(readArrowStream(bytes, fields)).toMatchObject([{ rows: 4000 }])
  })

  test('a compressed buffer is refused before it is expanded', () => {
    const bytes = new Uint8Array(readFileSync(new URL('zstd.arrow', folder)))
    const asked: number[] = []
    const spy = (packed: Uint8Array, expandedBytes: number): Uint8Array => {
      asked.push(expandedBytes)
      return zstd(packed, expandedBytes)
    }
    const view = viewOf(bytes)
    for (let at = 0; at + 8 <= bytes.length; at += 8)
      if (view.getBigUint64(at, true) === 8000n && at > 300) view.setBigUint64(at, 2n ** 40n, true)
    expect(() =>
      readArrowStream(bytes, [fieldOf('i', parseType('bigint')), fieldOf('s', parseType('string'))], { zstd: spy }),
    ).toThrow(expect.objectContaining({ code: 'too-large' }))
    expect(Math.max(0, ...asked)).toBeLessThan(33_554_432)
  })

  test('one buffer named by a thousand columns counts a thousand times', () => {
    const fields = Array.from({ length: 1000 }, (_, i) => fieldOf(`c${i}`, parseType('string')))
    const wide = fields.map(() => ({
      type: parseType('string'),
      length: 1,
      nullCount: 0,
      validity: undefined,
      offsets: Int32Array.of(0, 500),
      values: new Uint8Array(500),
      children: [],
    }))
    const frame = encodeFrame({ rows: 1, fields, columns: wide })
    const grown = concat([frame, new Uint8Array(3_000_000).fill(97)])
    const view = viewOf(grown)
    const scanned = scanFrame(frame)
    const body = frame.length - scanned.bodyBytes
    view.setInt32(body + 4, 3_000_000, true)
    for (let at = 8; at + 16 <= body; at += 8) {
      const [offset, length] = [Number(view.getBigInt64(at, true)), Number(view.getBigInt64(at + 8, true))]
      if (length === 8 && offset % 8 === 0 && offset < scanned.bodyBytes) view.setBigInt64(at, 0n, true)
      if (length === 500) {
        view.setBigInt64(at, 0n, true)
        view.setBigInt64(at + 8, 3_000_000n, true)
      }
    }
    const bodyLengthAt = 8 + 32
    view.setBigInt64(bodyLengthAt, BigInt(scanned.bodyBytes + 3_000_000), true)
    const started = performance.now()
    expect(() => readArrowStream(concat([encodeSchemaMessage(fields), grown]), fields)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/too-large|invalid-rows/) }),
    )
    expect(performance.now() - started).toBeLessThan(1000)
  })

  test('a mutation is the same for the same seed', () => {
    const bytes = Uint8Array.from({ length: 200 }, (_, i) => i)
    expect(mutated(bytes, 42)).toEqual(mutated(bytes, 42))
  })
})
