/**
 * Rows whose text matches a pattern of `like`. The pattern is cut at its `%`; each piece takes the first place where it matches, which
 * leaves most to the next. A piece is an automaton over the bytes of UTF-8 whose states are bits (Shift-And, Baeza-Yates and Gonnet
 * 1992): every way to match is followed at once, so that no byte is read twice, whatever the pattern. At most bytes ×
 * ceil(states / 32) steps.
 */
import { assert } from '../../kernel/assert.ts'
import type { LikePart } from '../../model/filter.ts'
import type { ColumnData } from './column.ts'
import { type RowBits, rowsWhere } from './row-bits.ts'

/** The column is of string. Rows that are null come out either way. */
export function likeRows(column: ColumnData, pattern: readonly LikePart[]): RowBits {
  const { values, offsets, length } = column
  assert(values !== undefined && offsets !== undefined, 'like reads text')
  const automata = piecesOf(pattern).map(automatonOf)
  return rowsWhere(length, (row) => {
    const end = offsets[row + 1] as number
    let at = offsets[row] as number
    for (const automaton of automata) {
      at = matchEnd(automaton, values, at, end)
      if (at < 0) return false
    }
    return true
  })
}

/** What stands between two `%`; never empty. */
interface Piece {
  readonly parts: readonly Exclude<LikePart, 'any'>[]
  /** May begin anywhere. */
  readonly isFloating: boolean
  /** Ends where the text ends. */
  readonly isLast: boolean
}

function piecesOf(pattern: readonly LikePart[]): readonly Piece[] {
  const pieces: Exclude<LikePart, 'any'>[][] = [[]]
  for (const part of pattern) {
    if (part === 'any') pieces.push([])
    else pieces.at(-1)?.push(part)
  }
  return pieces
    .map((parts, i) => ({ parts, isFloating: i > 0, isLast: i === pieces.length - 1 }))
    .filter(({ parts }) => parts.length > 0)
}

/** State s: the first s elements of the piece have matched. An element is a byte, or one character of any kind. */
interface Automaton {
  readonly last: number
  /** Words of 32 states. */
  readonly words: number
  /** For each byte, the states that it enters from the state before. */
  readonly enters: Int32Array
  /** For each byte, the states that it does not leave. */
  readonly stays: Int32Array
  readonly isLast: boolean
}

function automatonOf({ parts, isFloating, isLast }: Piece): Automaton {
  const last = parts.reduce((sum, part) => sum + (part === 'one' ? 1 : part.length), 0)
  const words = (last + 32) >>> 5
  const enters = new Int32Array(256 * words)
  const stays = new Int32Array(256 * words)
  const add = (table: Int32Array, byte: number, state: number): void => {
    const at = byte * words + (state >>> 5)
    table[at] = (table[at] as number) | (1 << (state & 31))
  }
  if (isFloating) for (let byte = 0; byte < 256; byte++) add(stays, byte, 0)
  let state = 0
  for (const part of parts) {
    if (part !== 'one') for (const byte of part) add(enters, byte, ++state)
    else {
      state++
      // a character is its first byte and the continuations behind it
      for (let byte = 0; byte < 256; byte++) add((byte & 0xc0) === 0x80 ? stays : enters, byte, state)
    }
  }
  return { last, words, enters, stays, isLast }
}

/** The end of the first match in [start, end), or -1. It may lie inside a character, of which nothing that follows begins. */
function matchEnd(automaton: Automaton, values: Uint8Array, start: number, end: number): number {
  return automaton.words === 1 ? shortMatchEnd(automaton, values, start, end) : longMatchEnd(automaton, values, start, end)
}

function shortMatchEnd({ last, enters, stays, isLast }: Automaton, values: Uint8Array, start: number, end: number): number {
  const done = 1 << last
  const enough = isLast ? 0 : done
  let states = 1
  let at = start
  while (at < end && states !== 0 && (states & enough) === 0) {
    const byte = values[at++] as number
    states = ((states << 1) & (enters[byte] as number)) | (states & (stays[byte] as number))
  }
  return (states & done) === 0 ? -1 : at
}

function longMatchEnd({ last, words, enters, stays, isLast }: Automaton, values: Uint8Array, start: number, end: number): number {
  const states = new Int32Array(words)
  states[0] = 1
  const isDone = (): boolean => (((states[last >>> 5] as number) >>> (last & 31)) & 1) === 1
  for (let at = start; at < end; at++) {
    if (!isLast && isDone()) return at
    const table = (values[at] as number) * words
    let carry = 0
    let some = 0
    for (let k = 0; k < words; k++) {
      const word = states[k] as number
      const next = (((word << 1) | carry) & (enters[table + k] as number)) | (word & (stays[table + k] as number))
      carry = word >>> 31
      some |= next
      states[k] = next
    }
    if (some === 0) return -1
  }
  return isDone() ? end : -1
}
