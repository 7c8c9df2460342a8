/**
 * A range of a file. Reading columns is many small reads, of files that were written lately: handing one to another thread takes
 * several times as long as reading it from the system's cache, so those are read at once, on this thread; long ones are not.
 * Columns of one file are read one after the other in one turn of the event loop: it stays open until the end of the turn, or until
 * this process deletes or replaces something.
 */
import { close, closeSync, fstat, open, openSync, read, readSync } from 'node:fs'
import { promisify } from 'node:util'
import type { ByteRange, RangeInto } from '../../core/ports/objects.ts'
import { outOfRange } from './key.ts'

const openOf = promisify(open)
const readOf = promisify(read)
const fstatOf = promisify(fstat)

const smallBytesMax = 64 * 1024
/** A longer range is held against the size of the file before memory is taken for it. */
const trustedBytesMax = 8 * 1024 * 1024

/** Errors: `internal` (a range that is not in the file), those of the file system. */
export function readRange(key: string, path: string, range: ByteRange): Uint8Array | Promise<Uint8Array> {
  return readSmall(path, range) ?? readLong(key, path, range)
}

async function readLong(key: string, path: string, range: ByteRange): Promise<Uint8Array> {
  const file = await openOf(path, 'r')
  try {
    const length = range.end - range.start
    if (length > trustedBytesMax) await checkSize(key, file, range)
    const bytes = Buffer.allocUnsafeSlow(length)
    for (let at = 0; at < length; ) {
      const { bytesRead } = await readOf(file, bytes, at, length - at, range.start + at)
      if (bytesRead === 0) await checkSize(key, file, range)
      at += bytesRead
    }
    return new Uint8Array(bytes.buffer, 0, length)
  } finally {
    close(file, () => undefined)
  }
}

/** Undefined where it is long, or one read does not bring all of it. */
export function readSmall(path: string, { start, end, into }: RangeInto): Uint8Array | undefined {
  const length = end - start
  if (length > smallBytesMax) return undefined
  const file = opened.get(path) ?? openForTurn(path)
  const bytes = into ?? new Uint8Array(Buffer.allocUnsafeSlow(length).buffer)
  return readSync(file, bytes, 0, length, start) === length ? bytes : undefined
}

const openedMax = 64
const opened = new Map<string, number>()

function openForTurn(path: string): number {
  if (opened.size >= openedMax) closeOpened()
  const file = openSync(path, 'r')
  if (opened.size === 0) setImmediate(closeOpened)
  opened.set(path, file)
  return file
}

export function closeOpened(): void {
  const files = [...opened.values()]
  opened.clear()
  for (const file of files) {
    try {
      closeSync(file)
    } catch {
      // Nothing was written to it: what was read of it is right.
    }
  }
}

async function checkSize(key: string, file: number, range: ByteRange): Promise<void> {
  const { size } = await fstatOf(file)
  if (range.end > size) throw outOfRange(key, range, size)
}
