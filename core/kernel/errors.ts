/**
 * The one error type of the product: a closed list of codes, what is known about the effect of the
 * operation, and what the caller does next. HTTP statuses are computed from the code, at the edge
 * (contract/errors.ts). An effect `unknown` is never cleaned up after and never reported as a failure
 * to have happened: it is resolved by reading back, or surfaced.
 */
export const errorCodes = [
  'bad-request',
  'unknown-field',
  'invalid-name',
  'invalid-schema',
  'invalid-rows',
  'invalid-filter',
  'bad-cursor',
  'unauthenticated',
  'stale-epoch',
  'forbidden-origin',
  'not-found',
  'method-not-allowed',
  'not-acceptable',
  'exists',
  'not-empty',
  'sequence-gap',
  'sequence-old',
  'sequence-reused',
  'conflict',
  'gone',
  'changed',
  'too-large',
  'unsupported-media-type',
  'offset-out-of-range',
  'throttled',
  'internal',
  'not-supported',
  'unavailable',
  'timeout',
  'full',
] as const
export type ErrorCode = (typeof errorCodes)[number]

/** `none`: nothing happened · `done`: it happened · `partial`: some of it · `unknown`: not known, read back. */
export type Effect = 'none' | 'done' | 'partial' | 'unknown'
/** `fix` the request · `retry` it unchanged · `refresh` what you know, then decide · `stop`. */
export type Action = 'fix' | 'retry' | 'refresh' | 'stop'
/** Values that a caller needs to act: JSON, bigints as decimal strings. */
export type Facts = Readonly<Record<string, unknown>>

export interface ErrorDetail {
  readonly effect?: Effect
  readonly action?: Action
  readonly facts?: Facts
  readonly cause?: unknown
}

export class SluiceError extends Error {
  readonly code: ErrorCode
  readonly effect: Effect
  readonly action: Action
  readonly facts: Facts
  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause })
    this.name = 'SluiceError'
    this.code = code
    this.effect = detail.effect ?? 'none'
    this.action = detail.action ?? defaultAction[code] ?? 'fix'
    this.facts = detail.facts ?? {}
  }
}

const defaultAction: Partial<Record<ErrorCode, Action>> = {
  throttled: 'retry',
  unavailable: 'retry',
  timeout: 'retry',
  internal: 'stop',
  full: 'stop',
  gone: 'stop',
  'stale-epoch': 'stop',
  'sequence-old': 'stop',
  changed: 'refresh',
  conflict: 'refresh',
}

/** The same, where more is known of the effect. */
export function withEffect(error: SluiceError, effect: Effect): SluiceError {
  if (error.effect === effect) return error
  return new SluiceError(error.code, error.message, { effect, action: error.action, facts: error.facts, cause: error })
}

export function isSluiceError(error: unknown, code?: ErrorCode): error is SluiceError {
  return error instanceof SluiceError && (code === undefined || error.code === code)
}
