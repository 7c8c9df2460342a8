/**
 * Rows to partitions: rows that agree in every partition column share one. A row is compared with the last one's partition
 * first, because rows of one mostly come together; names are made once a partition, not once a row.
 */
import { SluiceError } from '../../kernel/errors.ts'
import { limits } from '../../kernel/limits.ts'
import { murmur3 } from '../../kernel/murmur3.ts'
import type { Batch, ColumnData } from '../arrow/column.ts'
import { int16s, int32s, isValid, widthOf } from '../arrow/layout.ts'
import { printPartitionName } from './name.ts'

export interface PartitionedRows {
  readonly names: readonly string[]
  /** Of each row, its place in `names`. */
  readonly codes: Uint16Array
}

/** `by`: columns of the batch. Errors: `too-large` (more partitions than one request may touch), `invalid-rows` (a name too long). */
export function partitionRows(batch: Batch, by: readonly string[]): PartitionedRows {
  const keys = by.map((name) => keyOf(batch.columns[batch.fields.findIndex((field) => field.name === name)]))
  const same = (a: number, b: number): boolean => keys.every((key) => key.same(a, b))
  const codes = new Uint16Array(batch.rows)
  const firsts: number[] = []
  const byHash = new Map<number, number[]>()
  let last = -1
  for (let row = 0; row < batch.rows; row++) {
    if (last < 0 || !same(row, firsts[last] as number)) last = codeOf(row)
    codes[row] = last
  }
  return { names: firsts.map((row) => printPartitionName(batch, by, row)), codes }

  function codeOf(row: number): number {
    let hash = 0
    for (const key of keys) hash = (Math.imul(hash, 31) + key.hash(row)) | 0
    const candidates = byHash.get(hash)
    const found = candidates?.find((code) => same(row, firsts[code] as number))
    if (found !== undefined) return found
    if (firsts.length === limits.produceBucketsMax)
      throw new SluiceError('too-large', `the rows touch more than ${limits.produceBucketsMax} partitions: send fewer at once`)
    firsts.push(row)
    if (candidates === undefined) byHash.set(hash, [firsts.length - 1])
    else candidates.push(firsts.length - 1)
    return firsts.length - 1
  }
}

interface Key {
  readonly same: (a: number, b: number) => boolean
  readonly hash: (row: number) => number
}

function keyOf(column: ColumnData | undefined): Key {
  if (column === undefined) return { same: () => true, hash: () => 0 }
  const plain = plainKey(column)
  if (column.nullCount === 0) return plain
  return {
    same: (a, b) => (isValid(column, a) ? isValid(column, b) && plain.same(a, b) : !isValid(column, b)),
    hash: (row) => (isValid(column, row) ? plain.hash(row) : 1),
  }
}

function plainKey({ type, values = new Uint8Array(0), offsets, length }: ColumnData): Key {
  if (offsets !== undefined) return textKey(values, offsets)
  if (type.kind === 'boolean') return numberKey((row) => ((values[row >>> 3] as number) >>> (row & 7)) & 1)
  const width = widthOf(type)
  if (width === 1) return numberKey((row) => values[row] as number)
  if (width === 2) {
    const shorts = int16s(values, length)
    return numberKey((row) => shorts[row] as number)
  }
  return wordsKey(int32s(values, (length * width) / 4), width / 4)
}

const numberKey = (at: (row: number) => number): Key => ({ same: (a, b) => at(a) === at(b), hash: at })

function wordsKey(words: Int32Array, each: number): Key {
  return {
    same: (a, b) => {
      for (let k = 0; k < each; k++) if (words[a * each + k] !== words[b * each + k]) return false
      return true
    },
    hash: (row) => {
      let hash = 0
      for (let k = 0; k < each; k++) hash = Math.imul(hash ^ (words[row * each + k] as number), 0x9e3779b1)
      return hash
    },
  }
}

function textKey(values: Uint8Array, offsets: Int32Array): Key {
  return {
    same: (a, b) => {
      const start = offsets[a] as number
      const other = offsets[b] as number
      const length = (offsets[a + 1] as number) - start
      if ((offsets[b + 1] as number) - other !== length) return false
      for (let k = 0; k < length; k++) if (values[start + k] !== values[other + k]) return false
      return true
    },
    hash: (row) => murmur3(values, offsets[row] as number, offsets[row + 1] as number),
  }
}
