/** What became of a request over several buckets. */
import type { Effect, SluiceError } from '../kernel/errors.ts'
import type { BucketAppended } from './types.ts'

export function failuresOf(appended: readonly BucketAppended[]): readonly SluiceError[] {
  const failures: SluiceError[] = []
  for (const { outcome } of appended) if (!outcome.done) failures.push(outcome.error)
  return failures
}

/** Of the whole, where some or all have failed. */
export function effectOf(appended: readonly BucketAppended[], failures: readonly SluiceError[]): Effect {
  if (failures.length < appended.length) return 'partial'
  return failures.every((error) => error.effect === 'none') ? 'none' : 'unknown'
}
