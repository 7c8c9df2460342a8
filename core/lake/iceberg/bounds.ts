/**
 * Bounds of a data file's columns, as a manifest keeps them: Iceberg single values (spec, appendix D). Long text is cut
 * so that manifests stay small: a lower bound is cut down, an upper bound is cut and then raised, or dropped where it cannot be.
 */
import { copyOf, raised, utf8, utf8Text, viewOf } from '../../kernel/bytes.ts'
import type { DataType } from '../../model/types.ts'

/** Of one top-level column; bounds in Iceberg's single-value serialisation, absent where no value has an order. */
export interface ColumnMetrics {
  readonly id: number
  readonly nulls: number
  /** Of float and double columns. */
  readonly nans?: number
  readonly lower?: Uint8Array
  readonly upper?: Uint8Array
}

/** The metrics as a manifest keeps them. */
export function cutMetrics(type: DataType, { lower, upper, ...counts }: ColumnMetrics): ColumnMetrics {
  const low = lower && cutLower(type, lower)
  const high = upper && cutUpper(type, upper)
  return { ...counts, ...(low && { lower: low }), ...(high && { upper: high }) }
}

export const boundBytesMax = 128

export function intBound(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  viewOf(bytes).setInt32(0, value, true)
  return bytes
}

export function longBound(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8)
  viewOf(bytes).setBigInt64(0, value, true)
  return bytes
}

function cutLower(type: DataType, bound: Uint8Array): Uint8Array {
  if (bound.length <= boundBytesMax) return bound
  if (type.kind === 'binary') return copyOf(bound, 0, boundBytesMax)
  return type.kind === 'string' ? copyOf(bound, 0, characterStart(bound, boundBytesMax)) : bound
}

function cutUpper(type: DataType, bound: Uint8Array): Uint8Array | undefined {
  if (bound.length <= boundBytesMax) return bound
  if (type.kind === 'binary') return raised(bound, boundBytesMax)
  return type.kind === 'string' ? raisedText(copyOf(bound, 0, characterStart(bound, boundBytesMax))) : bound
}

/** The greatest index up to `at` at which a UTF-8 character starts. */
function characterStart(bytes: Uint8Array, at: number): number {
  let start = at
  while (start > 0 && ((bytes[start] as number) & 0xc0) === 0x80) start--
  return start
}

function raisedText(prefix: Uint8Array): Uint8Array | undefined {
  const characters = Array.from(utf8Text(prefix), (character) => character.codePointAt(0) as number)
  while (characters.at(-1) === 0x10ffff) characters.pop()
  const last = characters.pop()
  if (last === undefined) return undefined
  // The code points between the surrogates' ends are no characters.
  characters.push(last === 0xd7ff ? 0xe000 : last + 1)
  return utf8(String.fromCodePoint(...characters))
}
