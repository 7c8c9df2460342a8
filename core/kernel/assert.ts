/** A broken invariant: a defect of ours, never of the caller's input. Stays on in production. */
import { type Facts, SluiceError } from './errors.ts'

export function assert(condition: boolean, message: string, facts: Facts = {}): asserts condition {
  if (!condition) throw new SluiceError('internal', `invariant broken: ${message}`, { effect: 'unknown', action: 'stop', facts })
}

/** Narrows away `undefined` where an earlier check makes it impossible. */
export function present<T>(value: T | undefined | null, what: string): T {
  assert(value !== undefined && value !== null, `${what} is missing`)
  return value
}
