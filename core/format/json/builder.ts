/**
 * What builders of columns share: rows appended in order, nulls kept as a bitmap only once there is one, buffers that double
 * within a budget. Rows that lack a column cost nothing until the column's next value, or the end.
 */

import type { DataType } from '../../model/types.ts'
import { setBit } from '../arrow/bits.ts'
import { type Budget, spend } from '../arrow/budget.ts'
import type { ColumnData } from '../arrow/column.ts'
import { bitmapBytes } from '../arrow/layout.ts'
import type { Source } from './source.ts'

const nothing = new Uint8Array(0)

export abstract class Builder {
  readonly type: DataType
  rows = 0
  nulls = 0
  #bits: Uint8Array = nothing
  protected readonly budget: Budget

  constructor(type: DataType, budget: Budget) {
    this.type = type
    this.budget = budget
  }

  /** Appends the value that begins where the source stands; never null. */
  abstract read(source: Source): void
  /** Room for and zero slots of `count` rows more. */
  protected abstract appendZeros(count: number): void
  protected abstract parts(): Pick<ColumnData, 'offsets' | 'values' | 'children'>

  appendNulls(count: number): void {
    if (this.nulls === 0) this.#startBits()
    this.nulls += count
    this.appendZeros(count)
    this.rows += count
    if (bitmapBytes(this.rows) > this.#bits.length) this.#bits = grown(this.#bits, bitmapBytes(this.rows), this.budget)
  }

  /** Counts a value that was appended. */
  protected appended(): void {
    const row = this.rows++
    if (this.nulls === 0) return
    if (row >>> 3 >= this.#bits.length) this.#bits = grown(this.#bits, (row >>> 3) + 1, this.budget)
    setBit(this.#bits, row)
  }

  finish(): ColumnData {
    const validity = this.nulls === 0 ? undefined : this.#bits.subarray(0, bitmapBytes(this.rows))
    return { type: this.type, length: this.rows, nullCount: this.nulls, validity, ...this.parts() }
  }

  #startBits(): void {
    this.#bits = grown(this.#bits, bitmapBytes(this.rows + 1), this.budget)
    this.#bits.fill(255, 0, this.rows >>> 3)
    for (let i = this.rows & ~7; i < this.rows; i++) setBit(this.#bits, i)
  }
}

/** At least `length` bytes, beginning with those of `bytes`; the rest is zero. */
export function grown(bytes: Uint8Array, length: number, budget: Budget): Uint8Array<ArrayBuffer> {
  const capacity = Math.max(64, bytes.length * 2, Math.ceil(length / 8) * 8)
  spend(budget, capacity)
  const out = new Uint8Array(capacity)
  out.set(bytes)
  return out
}

/** As grown, in 32-bit words. */
export function grownWords(words: Int32Array, length: number, budget: Budget): Int32Array<ArrayBuffer> {
  const capacity = Math.max(32, words.length * 2, length + (length & 1))
  spend(budget, 4 * capacity)
  const out = new Int32Array(capacity)
  out.set(words)
  return out
}
