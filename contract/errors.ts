/**
 * The one table from error code to HTTP status, and the JSON form of an error. Every answer that is not a success
 * is made here, whatever raised it, so that a code has one status everywhere.
 */
import type { ErrorCode, SluiceError } from '../core/kernel/errors.ts'

export const statusOf: Readonly<Record<ErrorCode, number>> = {
  'bad-request': 400,
  'unknown-field': 400,
  'invalid-name': 400,
  'invalid-schema': 400,
  'invalid-rows': 400,
  'invalid-filter': 400,
  'bad-cursor': 400,
  unauthenticated: 401,
  'stale-epoch': 403,
  'forbidden-origin': 403,
  'not-found': 404,
  'method-not-allowed': 405,
  'not-acceptable': 406,
  exists: 409,
  'not-empty': 409,
  'sequence-gap': 409,
  'sequence-old': 409,
  'sequence-reused': 409,
  conflict: 409,
  gone: 410,
  changed: 412,
  'too-large': 413,
  'unsupported-media-type': 415,
  'offset-out-of-range': 416,
  throttled: 429,
  internal: 500,
  'not-supported': 501,
  unavailable: 503,
  timeout: 504,
  full: 507,
}

/** Seconds a client waits before it tries again, where the status asks for it. */
export const retryAfterSeconds = 1

export interface ErrorBody {
  readonly code: ErrorCode
  readonly message: string
  readonly effect: string
  readonly action: string
  readonly facts: Readonly<Record<string, unknown>>
}

export function errorBody(error: SluiceError): ErrorBody {
  return { code: error.code, message: error.message, effect: error.effect, action: error.action, facts: error.facts }
}

/** JSON text of facts and bodies: bigints as decimal strings, bytes never. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, bigintAsText)
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}
