/**
 * A JSON text being read, byte by byte, after it was found to be UTF-8. Positions become line and column only when an error
 * needs them. Grammar: RFC 8259, nothing more.
 */
import { SluiceError } from '../../kernel/errors.ts'
import { limits } from '../../kernel/limits.ts'
import { quoted } from '../../model/nearest.ts'
import { numberEnd } from '../../model/values/numbers.ts'
import type { Budget } from '../arrow/budget.ts'

export class Source {
  readonly bytes: Uint8Array
  readonly end: number
  /** Of what is built from this text. */
  readonly budget: Budget
  at = 0
  /** The text last read is [from, to) of `text`, escapes resolved. */
  text: Uint8Array
  from = 0
  to = 0
  constructor(bytes: Uint8Array, budget: Budget) {
    this.bytes = bytes
    this.end = bytes.length
    this.text = bytes
    this.budget = budget
  }
}

export interface Place {
  readonly line: number
  readonly column: number
}

/** What is wrong, where in the text, and in which column of the table: `a.b` is the field b of the row a. */
export class RowProblem extends SluiceError {
  readonly what: string
  readonly place: Place
  readonly field: string | undefined
  constructor(code: 'invalid-rows' | 'unknown-field', what: string, place: Place, field?: string) {
    const inside = field === undefined || code === 'unknown-field' ? '' : `, in ${quoted(field)}`
    super(code, `line ${place.line}, column ${place.column}${inside}: ${what}`, {
      facts: { ...(field !== undefined && { field: field.slice(0, 256) }), ...place },
    })
    this.what = what
    this.place = place
    this.field = field
  }
}

/** `at`: where in the text; by default where reading stands. */
export function problem(source: Source, what: string, at = source.at): RowProblem {
  return new RowProblem('invalid-rows', what, placeOf(source.bytes, at))
}

/** The same error, in the field `name`. */
export function inField(error: unknown, name: string): unknown {
  if (!(error instanceof RowProblem) || error.code !== 'invalid-rows') return error
  return new RowProblem('invalid-rows', error.what, error.place, error.field === undefined ? name : `${name}.${error.field}`)
}

/** From 1; columns count characters. */
export function placeOf(bytes: Uint8Array, at: number): Place {
  let line = 1
  let column = 1
  for (let i = 0; i < at && i < bytes.length; i++) {
    const byte = bytes[i] as number
    if (byte === 0x0a) {
      line++
      column = 1
    } else if ((byte & 0xc0) !== 0x80) column++
  }
  return { line, column }
}

/** The next byte that is no white space, not passed; 0 at the end. */
export function peek(source: Source): number {
  const { bytes, end } = source
  let { at } = source
  while (at < end) {
    const byte = bytes[at] as number
    if (byte > 0x20) break
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break
    at++
  }
  source.at = at
  return at < end ? (bytes[at] as number) : 0
}

export function expectByte(source: Source, byte: number): void {
  if (peek(source) !== byte) throw problem(source, `${JSON.stringify(String.fromCharCode(byte))} is expected here`)
  source.at++
}

/** Passes a comma and answers true, or the closing byte and answers false. */
export function nextOrClose(source: Source, close: number): boolean {
  const byte = peek(source)
  if (byte === 0x2c) {
    source.at++
    return true
  }
  if (byte === close) {
    source.at++
    return false
  }
  throw problem(source, byte === 0 ? 'the text ends inside a value' : `"," or "${String.fromCharCode(close)}" is expected here`)
}

/** Whether a null stands here; it is passed. */
export function passNull(source: Source): boolean {
  if (source.bytes[source.at] !== 0x6e) return false
  passWord(source, 'null')
  return true
}

export function passWord(source: Source, word: string): void {
  for (let i = 0; i < word.length; i++) {
    if (source.bytes[source.at + i] !== word.charCodeAt(i)) throw problem(source, 'this is not a JSON value')
  }
  source.at += word.length
}

/** Reads a text that begins here into source.text, from, to. */
export function readText(source: Source): void {
  const { bytes, end } = source
  const start = source.at + 1
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number
    if (byte === 0x22) {
      source.text = bytes
      source.from = start
      source.to = at
      source.at = at + 1
      return
    }
    if (byte === 0x5c) return readEscaped(source, start, at)
    if (byte < 0x20) throw problem(source, 'a control character in a text has to be escaped', at)
  }
  throw problem(source, 'a text has no closing quote', end)
}

/** [start, at) is plain, at `at` the first escape. */
function readEscaped(source: Source, start: number, first: number): void {
  const { bytes, end } = source
  let size = first - start
  let out = new Uint8Array(size + 64)
  out.set(bytes.subarray(start, first))
  for (let at = first; at < end; ) {
    if (size + 4 > out.length) {
      const larger = new Uint8Array(out.length * 2)
      larger.set(out)
      out = larger
    }
    const byte = bytes[at] as number
    if (byte === 0x22) {
      source.text = out
      source.from = 0
      source.to = size
      source.at = at + 1
      return
    }
    if (byte < 0x20) throw problem(source, 'a control character in a text has to be escaped', at)
    if (byte !== 0x5c) {
      out[size++] = byte
      at++
      continue
    }
    const letter = bytes[at + 1] as number
    if (letter !== 0x75) {
      const plain = escapes[letter] ?? 0
      if (plain === 0) throw problem(source, 'this escape is not one of JSON', at)
      out[size++] = plain
      at += 2
      continue
    }
    let code = hexAt(source, at + 2)
    at += 6
    if (code >= 0xd800 && code <= 0xdfff) {
      const low = code < 0xdc00 && bytes[at] === 0x5c && bytes[at + 1] === 0x75 ? hexAt(source, at + 2) : 0
      if (low < 0xdc00 || low > 0xdfff) throw problem(source, 'a surrogate stands alone', at - 6)
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00)
      at += 6
    }
    size = putCodePoint(out, size, code)
  }
  throw problem(source, 'a text has no closing quote', end)
}

const escapes: Readonly<Record<number, number>> = { 34: 0x22, 92: 0x5c, 47: 0x2f, 98: 8, 102: 12, 110: 10, 114: 13, 116: 9 }

function hexAt(source: Source, at: number): number {
  let value = 0
  for (let i = 0; i < 4; i++) {
    const byte = source.bytes[at + i] ?? 0
    const digit =
      byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66 ? (byte | 0x20) - 0x57 : -1
    if (digit < 0) throw problem(source, 'four hexadecimal digits are expected here', at)
    value = value * 16 + digit
  }
  return value
}

function putCodePoint(out: Uint8Array, at: number, code: number): number {
  if (code < 0x80) {
    out[at] = code
    return at + 1
  }
  if (code < 0x800) {
    out[at] = 0xc0 | (code >> 6)
    out[at + 1] = 0x80 | (code & 63)
    return at + 2
  }
  if (code < 0x10000) {
    out[at] = 0xe0 | (code >> 12)
    out[at + 1] = 0x80 | ((code >> 6) & 63)
    out[at + 2] = 0x80 | (code & 63)
    return at + 3
  }
  out[at] = 0xf0 | (code >> 18)
  out[at + 1] = 0x80 | ((code >> 12) & 63)
  out[at + 2] = 0x80 | ((code >> 6) & 63)
  out[at + 3] = 0x80 | (code & 63)
  return at + 4
}

/** Passes any value, checked to be JSON: those of columns that are ignored. */
export function skipValue(source: Source, depth = 1): void {
  if (depth > limits.jsonDepthMax) throw problem(source, `values nest at most ${limits.jsonDepthMax} deep`)
  const byte = peek(source)
  if (byte === 0x22) return readText(source)
  if (byte === 0x7b || byte === 0x5b) {
    const close = byte + 2
    source.at++
    if (peek(source) === close) {
      source.at++
      return
    }
    do {
      if (byte === 0x7b) {
        if (peek(source) !== 0x22) throw problem(source, 'a key is expected here')
        readText(source)
        expectByte(source, 0x3a)
      }
      skipValue(source, depth + 1)
    } while (nextOrClose(source, close))
    return
  }
  if (byte === 0x74) return passWord(source, 'true')
  if (byte === 0x66) return passWord(source, 'false')
  if (byte === 0x6e) return passWord(source, 'null')
  const end = numberEnd(source.bytes, source.at, source.end)
  if (end === source.at) throw problem(source, 'this is not a JSON value')
  source.at = end
}
