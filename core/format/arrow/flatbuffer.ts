/**
 * A reader for FlatBuffers that trusts nothing: every position is checked against the bytes before it is read, and what does
 * not fit is `invalid-rows`. It reads what Arrow IPC metadata needs: tables, scalars, strings, vectors (binary format:
 * flatbuffers.dev internals). Field numbers are those of Arrow's Message.fbs and Schema.fbs.
 */
import { utf8Text, viewOf } from '../../kernel/bytes.ts'
import { SluiceError } from '../../kernel/errors.ts'

export interface FlatTable {
  readonly view: DataView
  readonly at: number
  readonly vtable: number
  readonly vtableBytes: number
}

export interface FlatVector {
  readonly view: DataView
  /** Of the first element. */
  readonly at: number
  readonly length: number
}

export function damaged(what: string): SluiceError {
  return new SluiceError('invalid-rows', `the Arrow message is damaged: ${what}`)
}

export function rootTable(bytes: Uint8Array): FlatTable {
  const view = viewOf(bytes)
  return tableAt(view, uint32(view, 0))
}

/** Position of a field's value, 0 where it is absent. */
export function fieldAt(table: FlatTable, field: number, bytes: number): number {
  const slot = 4 + 2 * field
  if (slot + 2 > table.vtableBytes) return 0
  const offset = table.view.getUint16(table.vtable + slot, true)
  if (offset === 0) return 0
  const at = table.at + offset
  if (offset < 4 || at + bytes > table.view.byteLength) throw damaged('a field lies outside')
  return at
}

export function int8Field(table: FlatTable, field: number, absent = 0): number {
  const at = fieldAt(table, field, 1)
  return at === 0 ? absent : table.view.getInt8(at)
}

export function int16Field(table: FlatTable, field: number, absent = 0): number {
  const at = fieldAt(table, field, 2)
  return at === 0 ? absent : table.view.getInt16(at, true)
}

export function int32Field(table: FlatTable, field: number, absent = 0): number {
  const at = fieldAt(table, field, 4)
  return at === 0 ? absent : table.view.getInt32(at, true)
}

/** A 64-bit field that has to be a safe integer. */
export function int64Field(table: FlatTable, field: number, absent = 0): number {
  const at = fieldAt(table, field, 8)
  return at === 0 ? absent : int64At(table.view, at)
}

/** The caller has checked that 8 bytes are there. */
export function int64At(view: DataView, at: number): number {
  const value = view.getInt32(at + 4, true) * 0x100000000 + view.getUint32(at, true)
  if (!Number.isSafeInteger(value)) throw damaged('a length is beyond 2^53')
  return value
}

export function stringField(table: FlatTable, field: number): string | undefined {
  const at = fieldAt(table, field, 4)
  return at === 0 ? undefined : stringAt(table.view, at)
}

export function tableField(table: FlatTable, field: number): FlatTable | undefined {
  const at = fieldAt(table, field, 4)
  return at === 0 ? undefined : tableAt(table.view, at + uint32(table.view, at))
}

/** Absent and empty are the same. */
export function vectorField(table: FlatTable, field: number, elementBytes: number): FlatVector {
  const at = fieldAt(table, field, 4)
  if (at === 0) return { view: table.view, at: 0, length: 0 }
  const start = at + uint32(table.view, at)
  const length = uint32(table.view, start)
  if (start + 4 + length * elementBytes > table.view.byteLength) throw damaged('a vector lies outside')
  return { view: table.view, at: start + 4, length }
}

/** Element `i` of a vector of tables. */
export function tableElement(vector: FlatVector, i: number): FlatTable {
  const at = vector.at + 4 * i
  return tableAt(vector.view, at + uint32(vector.view, at))
}

function tableAt(view: DataView, at: number): FlatTable {
  if (at + 4 > view.byteLength) throw damaged('a table lies outside')
  const vtable = at - view.getInt32(at, true)
  if (vtable < 0 || vtable + 4 > view.byteLength) throw damaged('a vtable lies outside')
  const vtableBytes = view.getUint16(vtable, true)
  if (vtableBytes < 4 || vtable + vtableBytes > view.byteLength) throw damaged('a vtable lies outside')
  return { view, at, vtable, vtableBytes }
}

function stringAt(view: DataView, at: number): string {
  const start = at + uint32(view, at)
  const length = uint32(view, start)
  if (start + 4 + length > view.byteLength) throw damaged('a text lies outside')
  if (length > textBytesMax) throw damaged(`a text is longer than ${textBytesMax} bytes`)
  try {
    return utf8Text(new Uint8Array(view.buffer, view.byteOffset + start + 4, length))
  } catch {
    throw damaged('a text is not UTF-8')
  }
}

const textBytesMax = 65_536

function uint32(view: DataView, at: number): number {
  if (at + 4 > view.byteLength) throw damaged('an offset lies outside')
  return view.getUint32(at, true)
}
