import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { concat, hex } from '../../kernel/bytes.ts'
import { SluiceError } from '../../kernel/errors.ts'
import type { Batch } from '../arrow/column.ts'
import { decodeFrame } from '../arrow/frame.ts'
import { decodeBlock, encodeBlock as encodePieces, sealBlock } from './block.ts'
import { decodeDirectory, encodeSegment } from './segment.ts'

const encodeBlock = (...block: Parameters<typeof encodePieces>): Uint8Array => concat(encodePieces(...block))

const field = { id: 4, name: 'v', type: { kind: 'int' }, nullable: true } as const

const batch: Batch = {
  rows: 3,
  fields: [field],
  columns: [
    {
      type: field.type,
      length: 3,
      nullCount: 1,
      validity: new Uint8Array([0b101]),
      offsets: undefined,
      values: new Uint8Array(new Int32Array([7, 0, -9]).buffer),
      children: [],
    },
  ],
}

test('a block gives back its frames and what it knows of their columns', () => {
  const bytes = encodeBlock(3, '', [batch, batch])
  expect(bytes.length % 8).toBe(0)
  const block = decodeBlock(bytes, 'here')
  expect([block.schemaId, block.rows, block.frames.length, block.bytes]).toEqual([3, 6, 2, bytes.length])
  const [frame] = block.frames
  expect(frame?.columns[0]?.nulls).toBe(1)
  expect(hex(frame?.columns[0]?.min ?? new Uint8Array())).toBe('f7ffffff')
  expect(hex(frame?.columns[0]?.max ?? new Uint8Array())).toBe('07000000')
  expect(decodeFrame(frame?.message ?? new Uint8Array(), [field]).rows).toBe(3)
})

test('a segment holds each bucket as one contiguous range behind a directory', () => {
  const pieces = encodePieces(1, '', [batch])
  const block = concat(pieces)
  const segment = encodeSegment([
    { partition: '', bucket: 2, count: 3, blocks: [pieces] },
    { partition: '', bucket: 1023, count: 6, blocks: [pieces, pieces] },
  ])
  const object = concat(segment.pieces)
  expect(segment.bytes).toBe(object.length)
  expect(decodeDirectory(object, 'here')).toEqual(segment.ranges.map(({ starts: _, ...range }) => range))
  expect(segment.ranges.map(({ bucket, length, count }) => [bucket, length, count])).toEqual([
    [2, block.length, 3],
    [1023, 2 * block.length, 6],
  ])
  const range = segment.ranges[1]
  const [first = 0, second = 0] = range?.starts ?? []
  expect([first, second]).toEqual([range?.start, first + block.length])
  const bytes = object.subarray(range?.start, first + (range?.length ?? 0))
  expect(decodeBlock(bytes.subarray(second - first), 'here', second).rows).toBe(3)
})

const hostile = { seed: 20_261_122, numRuns: 2_000 }

test('a flipped byte or a cut never yields rows: only our errors escape a block', () => {
  const whole = encodeBlock(1, '', [batch])
  const read = (bytes: Uint8Array) => decodeBlock(bytes, 'here').frames.map((frame) => hex(frame.message))
  const expected = read(whole)
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), fc.nat(whole.length), (at, flip, length) => {
      const damaged = whole.slice(0, Math.max(length, at + 1))
      damaged[at] = (damaged[at] ?? 0) ^ flip
      let frames: string[]
      try {
        frames = read(damaged)
      } catch (error) {
        return error instanceof SluiceError
      }
      return JSON.stringify(frames) === JSON.stringify(expected)
    }),
    hostile,
  )
})

test.each([0x7fffffff, 0x80000000, 0xffffffff])('a length of %i in a header is refused without allocating it', (length) => {
  const bytes = encodeBlock(1, '', [batch])
  new DataView(bytes.buffer).setUint32(0, length, true)
  expect(() => decodeBlock(bytes, 'here')).toThrow(SluiceError)
  const segment = concat(encodeSegment([{ partition: '', bucket: 0, count: 3, blocks: [encodePieces(1, '', [batch])] }]).pieces)
  new DataView(segment.buffer).setUint32(5, length, true)
  expect(() => decodeDirectory(segment, 'here')).toThrow(SluiceError)
})

test('a sealed block is refused at any other place', () => {
  const pieces = encodePieces(1, '', [batch])
  const block = concat(pieces)
  const object = concat([new Uint8Array(40), ...sealBlock(pieces, 40), ...sealBlock(pieces, 40 + block.length)])
  const range = object.subarray(40, 40 + block.length)
  expect(decodeBlock(range, 'here', 40).rows).toBe(batch.rows)
  expect(() => decodeBlock(range, 'here', 40 + block.length)).toThrow(SluiceError)
  expect(() => decodeBlock(object.subarray(40 + block.length), 'here', 40)).toThrow(SluiceError)
})

test.each([1, 2])('a block of format version %i, as it was once written, is read', (version) => {
  const bytes = new Uint8Array(readFileSync(new URL(`../../../test/fixtures/blocks/v${version}.bin`, import.meta.url)))
  const { schemaId, rows, frames } = decodeBlock(bytes, 'here')
  expect([schemaId, rows, frames.length]).toEqual([3, 6, 2])
  for (const { columns, message } of frames) {
    expect([columns[0]?.nulls, hex(columns[0]?.min ?? new Uint8Array()), hex(columns[0]?.max ?? new Uint8Array())]).toEqual([
      1,
      'f7ffffff',
      '07000000',
    ])
    expect(decodeFrame(message, [field]).columns[0]?.values?.slice(0, 4)).toEqual(new Uint8Array([7, 0, 0, 0]))
  }
})
