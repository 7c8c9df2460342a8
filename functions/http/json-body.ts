/**
 * JSON bodies of administrative calls and lookups, read strictly: UTF-8, depth 32, no duplicate keys, numbers never rounded
 * (where a double would be another number, a whole one becomes a bigint, any other a `Numeral`). Rows that are produced have their
 * own reader in core/format/json. Objects have no prototype, so no key of theirs can be one of ours.
 */
import { utf8Text } from '../../core/kernel/bytes.ts'
import { SluiceError } from '../../core/kernel/errors.ts'
import { Numeral } from '../../core/kernel/exact-json.ts'
import { limits } from '../../core/kernel/limits.ts'

export type Json = string | number | bigint | Numeral | boolean | null | readonly Json[] | { readonly [key: string]: Json }

export function parseJsonBody(bytes: Uint8Array): Json {
  const reader: Reader = { text: textOf(bytes), at: 0 }
  const value = readValue(reader, 1)
  skipSpace(reader)
  if (reader.at < reader.text.length) throw malformed(reader, 'something follows the value')
  return value
}

interface Reader {
  readonly text: string
  at: number
}

function textOf(bytes: Uint8Array): string {
  try {
    return utf8Text(bytes)
  } catch {
    throw new SluiceError('bad-request', 'the JSON body is not UTF-8')
  }
}

function readValue(reader: Reader, depth: number): Json {
  if (depth > limits.jsonDepthMax) throw malformed(reader, `it is nested deeper than ${limits.jsonDepthMax}`)
  skipSpace(reader)
  switch (reader.text[reader.at]) {
    case '{':
      return readObject(reader, depth)
    case '[':
      return readArray(reader, depth)
    case '"':
      return readString(reader)
    default:
      return readLiteral(reader)
  }
}

function readObject(reader: Reader, depth: number): Json {
  const object: Record<string, Json> = Object.create(null)
  reader.at++
  if (taken(reader, '}')) return object
  do {
    skipSpace(reader)
    if (reader.text[reader.at] !== '"') throw malformed(reader, 'a key in double quotes is wanted')
    const key = readString(reader)
    if (key in object) throw malformed(reader, `key ${JSON.stringify(key.slice(0, 64))} occurs twice`)
    if (!taken(reader, ':')) throw malformed(reader, 'a colon is wanted')
    object[key] = readValue(reader, depth + 1)
  } while (taken(reader, ','))
  if (!taken(reader, '}')) throw malformed(reader, 'a comma or } is wanted')
  return object
}

function readArray(reader: Reader, depth: number): Json {
  const array: Json[] = []
  reader.at++
  if (taken(reader, ']')) return array
  do array.push(readValue(reader, depth + 1))
  while (taken(reader, ','))
  if (!taken(reader, ']')) throw malformed(reader, 'a comma or ] is wanted')
  return array
}

const stringPattern = /"(?:[^"\\]|\\.)*"/sy

function readString(reader: Reader): string {
  const plain = readPlain(reader)
  if (plain !== undefined) return plain
  stringPattern.lastIndex = reader.at
  const raw = stringPattern.exec(reader.text)?.[0]
  if (raw === undefined) throw malformed(reader, 'a string does not end')
  const value = unescaped(reader, raw)
  // What is kept leaves as UTF-8, or as an escape that strict readers refuse.
  if (!value.isWellFormed()) throw malformed(reader, 'a surrogate stands alone in a string')
  reader.at += raw.length
  return value
}

function unescaped(reader: Reader, raw: string): string {
  try {
    return JSON.parse(raw) as string
  } catch {
    throw malformed(reader, 'a string has a bad escape or a control character')
  }
}

/** Of a string without escapes, as most are. */
function readPlain(reader: Reader): string | undefined {
  const start = reader.at + 1
  for (let at = start; ; at++) {
    const code = reader.text.charCodeAt(at)
    if (code === 0x22) {
      reader.at = at + 1
      return reader.text.slice(start, at)
    }
    // NaN behind the end of the text fails this too.
    if (!(code >= 0x20) || code === 0x5c) return undefined
  }
}

const literalPattern = /true|false|null|-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y

function readLiteral(reader: Reader): Json {
  literalPattern.lastIndex = reader.at
  const found = literalPattern.exec(reader.text)
  if (found === null) throw malformed(reader, 'a value is wanted')
  const raw = found[0]
  if (raw.length > 64) throw malformed(reader, 'a number has more than 64 characters')
  reader.at += raw.length
  if (raw === 'true') return true
  if (raw === 'false') return false
  if (raw === 'null') return null
  const value = Number(raw)
  if (found[1] === undefined && found[2] === undefined) return Number.isSafeInteger(value) ? value : BigInt(raw)
  return isExact(raw, value) ? value : new Numeral(raw)
}

/** Every decimal of so many digits has a double of its own, if it is none of the largest or of the smallest. */
const exactDigitsMax = 15
const exactRange = { least: 1e-300, most: 1e300 }

function isExact(raw: string, value: number): boolean {
  const digits = raw.replace(/e.*$/i, '').replace(/\D/g, '').replace(/^0+/, '').length
  if (digits === 0) return true
  const size = Math.abs(value)
  return digits <= exactDigitsMax && size >= exactRange.least && size <= exactRange.most
}

function taken(reader: Reader, character: string): boolean {
  skipSpace(reader)
  if (reader.text[reader.at] !== character) return false
  reader.at++
  return true
}

function skipSpace(reader: Reader): void {
  while (isSpace(reader.text.charCodeAt(reader.at))) reader.at++
}

const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09

function malformed(reader: Reader, why: string): SluiceError {
  const before = reader.text.slice(0, reader.at)
  const line = before.split('\n').length
  const column = reader.at - before.lastIndexOf('\n')
  return new SluiceError('bad-request', `the JSON body is not valid at line ${line}, column ${column}: ${why}`, {
    facts: { line, column },
  })
}
