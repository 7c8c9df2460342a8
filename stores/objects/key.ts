/**
 * Object keys: ASCII paths of `[A-Za-z0-9._=%+-]` segments, at most 512 characters. Every ObjectStore checks its keys
 * here before it acts, so that a hostile or broken key can neither leave a directory nor mean two things in two stores.
 * Ours are lower-case; an engine that maintains a lake names its files otherwise, and they too must be read and deleted.
 */
import { SluiceError } from '../../core/kernel/errors.ts'

export const keyLengthMax = 512
/** What every common file system can name. */
const segmentLengthMax = 240
const pattern = /^[A-Za-z0-9._=%+-]+(?:\/[A-Za-z0-9._=%+-]+)*$/
const prefixPattern = /^(?:[A-Za-z0-9._=%+-]+\/)*[A-Za-z0-9._=%+-]*$/
const dots = /(?:^|\/)\.{1,2}(?:\/|$)/

export function checkKey(key: string): void {
  if (key.length > keyLengthMax || !pattern.test(key) || dots.test(key)) throw refused('object key', key)
  if (key.length > segmentLengthMax && key.split('/').some((segment) => segment.length > segmentLengthMax))
    throw refused('object key', key)
}

/** A prefix is any leading part of a key, empty too. */
export function checkPrefix(prefix: string): void {
  if (prefix.length > keyLengthMax || !prefixPattern.test(prefix) || dots.test(prefix)) throw refused('listing prefix', prefix)
}

export function checkRange(key: string, range: { readonly start: number; readonly end: number }): void {
  const { start, end } = range
  if (!(Number.isSafeInteger(start) && Number.isSafeInteger(end) && 0 <= start && start <= end)) {
    throw new SluiceError('internal', `bytes [${start}, ${end}) of object ${key} are no range`, { facts: { key, start, end } })
  }
}

export function absent(key: string): SluiceError {
  return new SluiceError('not-found', `object ${key} is absent`, { action: 'refresh', facts: { key } })
}

export function outOfRange(key: string, range: { readonly start: number; readonly end: number }, bytes: number): SluiceError {
  const facts = { key, start: range.start, end: range.end, bytes }
  return new SluiceError('internal', `bytes [${range.start}, ${range.end}) lie outside object ${key} of ${bytes} bytes`, {
    facts,
  })
}

function refused(what: string, key: string): SluiceError {
  const shown = JSON.stringify(key.slice(0, 80))
  return new SluiceError(
    'internal',
    `${what} ${shown} is refused: segments of A-Z a-z 0-9 . _ = % + -, at most ${keyLengthMax} characters`,
  )
}
