/**
 * An item's attributes as bytes, for SQLite. Version 1: a version byte, then the count of attributes, each a name and a
 * tagged value. Counts and lengths are LEB128; an integer of at most 64 bits is a zigzag LEB128, a longer one decimal text.
 * Decoding refuses damage: every length is checked against what is left, and nothing may follow the last value.
 */
import { SluiceError } from '../../core/kernel/errors.ts'
import type { Attributes, ItemValue } from '../../core/ports/items.ts'

const version = 1
const depthMax = 32
const tag = { text: 1, integer: 2, long: 3, yes: 4, no: 5, bytes: 6, list: 7, map: 8 } as const

export function encodeAttributes(attributes: Attributes): Uint8Array {
  const out = new Writer()
  out.byte(version)
  writeFields(out, attributes)
  return out.done()
}

export function decodeAttributes(bytes: Uint8Array): Attributes {
  const input = new Reader(bytes)
  const found = input.byte()
  if (found !== version) throw damaged(`version ${found} is not ${version}`)
  const attributes = readFields(input, 0)
  if (input.left() !== 0) throw damaged(`${input.left()} bytes follow the last value`)
  return attributes
}

function writeFields(out: Writer, fields: Readonly<Record<string, ItemValue>>): void {
  const names = Object.keys(fields)
  out.count(names.length)
  for (const name of names) {
    out.text(name)
    writeValue(out, fields[name] as ItemValue)
  }
}

function writeValue(out: Writer, value: ItemValue): void {
  if (typeof value === 'string') {
    out.byte(tag.text)
    out.text(value)
  } else if (typeof value === 'bigint') writeInteger(out, value)
  else if (typeof value === 'boolean') out.byte(value ? tag.yes : tag.no)
  else if (value instanceof Uint8Array) {
    out.byte(tag.bytes)
    out.bytes(value)
  } else if (Array.isArray(value)) {
    out.byte(tag.list)
    out.count(value.length)
    for (const element of value as readonly ItemValue[]) writeValue(out, element)
  } else {
    out.byte(tag.map)
    writeFields(out, value as Readonly<Record<string, ItemValue>>)
  }
}

function writeInteger(out: Writer, value: bigint): void {
  if (BigInt.asIntN(64, value) === value) {
    out.byte(tag.integer)
    out.zigzag(value)
  } else {
    out.byte(tag.long)
    out.text(value.toString())
  }
}

function readFields(input: Reader, depth: number): Record<string, ItemValue> {
  const fields: Record<string, ItemValue> = {}
  const count = input.count()
  for (let i = 0; i < count; i++) {
    const name = input.text()
    if (Object.hasOwn(fields, name)) throw damaged(`field ${name} comes twice`)
    // An own field even where the name is `__proto__`.
    if (name === '__proto__')
      Object.defineProperty(fields, name, {
        value: readValue(input, depth),
        enumerable: true,
        writable: true,
        configurable: true,
      })
    else fields[name] = readValue(input, depth)
  }
  return fields
}

function readValue(input: Reader, depth: number): ItemValue {
  if (depth > depthMax) throw damaged(`values nest deeper than ${depthMax}`)
  const kind = input.byte()
  switch (kind) {
    case tag.text:
      return input.text()
    case tag.integer:
      return input.zigzag()
    case tag.long:
      return longOf(input.text())
    case tag.yes:
      return true
    case tag.no:
      return false
    case tag.bytes:
      return input.bytes()
    case tag.list: {
      const count = input.count()
      const list: ItemValue[] = []
      for (let i = 0; i < count; i++) list.push(readValue(input, depth + 1))
      return list
    }
    case tag.map:
      return readFields(input, depth + 1)
    default:
      throw damaged(`tag ${kind} is unknown`)
  }
}

function longOf(text: string): bigint {
  if (!/^-?[1-9][0-9]{0,37}$/.test(text)) throw damaged('a long integer is malformed')
  return BigInt(text)
}

class Writer {
  #bytes = Buffer.allocUnsafe(1024)
  #at = 0

  byte(value: number): void {
    this.#room(1)
    this.#bytes[this.#at++] = value
  }

  count(value: number): void {
    this.#room(5)
    let rest = value
    while (rest > 127) {
      this.#bytes[this.#at++] = (rest & 127) | 128
      rest >>>= 7
    }
    this.#bytes[this.#at++] = rest
  }

  /** At most 64 bits. */
  zigzag(value: bigint): void {
    this.#room(10)
    let rest = value < 0n ? (-value << 1n) - 1n : value << 1n
    while (rest > 0xffff_ffffn) {
      this.#bytes[this.#at++] = Number(rest & 127n) | 128
      rest >>= 7n
    }
    let small = Number(rest)
    while (small > 127) {
      this.#bytes[this.#at++] = (small & 127) | 128
      small = Math.floor(small / 128)
    }
    this.#bytes[this.#at++] = small
  }

  text(value: string): void {
    const bytes = Buffer.byteLength(value)
    this.count(bytes)
    this.#room(bytes)
    this.#at += this.#bytes.write(value, this.#at, bytes, 'utf8')
  }

  bytes(value: Uint8Array): void {
    this.count(value.length)
    this.#room(value.length)
    this.#bytes.set(value, this.#at)
    this.#at += value.length
  }

  /** Bytes of their own: a view would take the pool behind it along to another thread. */
  done(): Uint8Array {
    return new Uint8Array(this.#bytes.subarray(0, this.#at))
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#at + bytes))
    larger.set(this.#bytes.subarray(0, this.#at))
    this.#bytes = larger
  }
}

class Reader {
  readonly #bytes: Uint8Array
  readonly #text: Buffer
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  left(): number {
    return this.#bytes.length - this.#at
  }

  byte(): number {
    const value = this.#bytes[this.#at++]
    if (value === undefined) throw damaged('it ends inside a value')
    return value
  }

  /** Never more than the bytes that are left, since each counted thing takes at least one. */
  count(): number {
    let value = 0
    for (let shift = 0; shift <= 28; shift += 7) {
      const byte = this.byte()
      value += (byte & 127) * 2 ** shift
      if (byte < 128) {
        if (value > this.left()) throw damaged(`a count of ${value} is more than what is left`)
        return value
      }
    }
    throw damaged('a count is too long')
  }

  zigzag(): bigint {
    let low = 0
    let scale = 1
    for (let i = 0; i < 7; i++) {
      const byte = this.byte()
      low += (byte & 127) * scale
      scale *= 128
      if (byte < 128) return unzigzag(BigInt(low))
    }
    let value = BigInt(low)
    for (let shift = 49n; shift <= 63n; shift += 7n) {
      const byte = this.byte()
      value |= BigInt(byte & 127) << shift
      if (byte < 128) {
        if (value >= 1n << 64n) throw damaged('an integer is longer than 64 bits')
        return unzigzag(value)
      }
    }
    throw damaged('an integer is longer than 64 bits')
  }

  text(): string {
    const end = this.#take()
    const text = this.#text.toString('utf8', this.#at, end)
    this.#at = end
    return text
  }

  bytes(): Uint8Array {
    const end = this.#take()
    const bytes = this.#bytes.slice(this.#at, end)
    this.#at = end
    return bytes
  }

  #take(): number {
    const length = this.count()
    return this.#at + length
  }
}

const unzigzag = (value: bigint): bigint => (value & 1n ? -((value + 1n) >> 1n) : value >> 1n)

function damaged(what: string): SluiceError {
  return new SluiceError('internal', `a stored item is damaged: ${what}`, { effect: 'none' })
}
