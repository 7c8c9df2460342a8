/**
 * The values of a column by the way they are compared: five layouts for all types that have an order, and what single values of
 * the wide ones need. Literals of filters come in the form of their type (core/model/filter.ts).
 */
import { assert } from '../../kernel/assert.ts'
import type { Literal } from '../../model/filter.ts'
import type { ColumnData } from './column.ts'
import { float32s, float64s, int8s, int16s, int32s, widthOf } from './layout.ts'

export type RowValues =
  | { readonly kind: 'flags'; readonly bitmap: Uint8Array }
  | { readonly kind: 'integers'; readonly numbers: Int32Array }
  | { readonly kind: 'doubles'; readonly numbers: Float32Array | Float64Array }
  /** Little-endian integers of `each` words of 32 bits. */
  | { readonly kind: 'wides'; readonly words: Int32Array; readonly each: 2 | 4 }
  | { readonly kind: 'texts'; readonly values: Uint8Array; readonly offsets: Int32Array }

/** Small integers are widened, so that loops over them see one kind of array. */
export function rowValues({ type, length, values, offsets }: ColumnData): RowValues {
  assert(values !== undefined, `a column of ${type.kind} has values that compare`)
  switch (type.kind) {
    case 'boolean':
      return { kind: 'flags', bitmap: values }
    case 'tinyint':
      return { kind: 'integers', numbers: new Int32Array(int8s(values, length)) }
    case 'smallint':
      return { kind: 'integers', numbers: new Int32Array(int16s(values, length)) }
    case 'float':
      return { kind: 'doubles', numbers: float32s(values, length) }
    case 'double':
      return { kind: 'doubles', numbers: float64s(values, length) }
    case 'string':
    case 'binary':
      assert(offsets !== undefined, `a column of ${type.kind} has offsets`)
      return { kind: 'texts', values, offsets }
    case 'decimal':
      return { kind: 'wides', words: int32s(values, 4 * length), each: 4 }
    default:
      return widthOf(type) === 4
        ? { kind: 'integers', numbers: int32s(values, length) }
        : { kind: 'wides', words: int32s(values, 2 * length), each: 2 }
  }
}

/** Values as wide integers of `each` words, one behind the other. */
export function wideWords(values: readonly Literal[], each: number): Int32Array {
  const words = new Int32Array(each * values.length)
  for (const [i, value] of values.entries()) {
    for (let k = 0; k < each; k++) words[each * i + k] = Number(BigInt.asIntN(32, (value as bigint) >> BigInt(32 * k)))
  }
  return words
}

/** Order of two wide integers: negative, 0 or positive. */
export function compareWides(a: Int32Array, atA: number, b: Int32Array, atB: number, each: number): number {
  const high = (a[atA + each - 1] as number) - (b[atB + each - 1] as number)
  if (high !== 0) return high
  for (let k = each - 2; k >= 0; k--) {
    const difference = ((a[atA + k] as number) >>> 0) - ((b[atB + k] as number) >>> 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** Order of the bytes [start, end) and a text. */
export function compareText(values: Uint8Array, start: number, end: number, text: Uint8Array): number {
  const length = end - start
  const common = length < text.length ? length : text.length
  for (let i = 0; i < common; i++) {
    const difference = (values[start + i] as number) - (text[i] as number)
    if (difference !== 0) return difference
  }
  return length - text.length
}
