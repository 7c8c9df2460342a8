/**
 * What a produce answers when some buckets are done and others are not. 200 only if all are. A bucket that is fenced
 * or out of sequence (403, 409) gives the request its status; otherwise a mixture is 503 with effect `partial`, which
 * the same sequence finishes. `facts.buckets` always says which are done.
 */
import { errorBody, jsonText, statusOf } from '../../contract/errors.ts'
import { SluiceError } from '../../core/kernel/errors.ts'
import { effectOf, failuresOf } from '../../core/log/outcomes.ts'
import type { BucketAppended } from '../../core/log/types.ts'
import type { Reply } from '../call.ts'
import { jsonReply } from '../http/reply.ts'

export function producedReply(appended: readonly BucketAppended[]): Reply {
  const failures = failuresOf(appended)
  if (failures.length === 0) {
    const duplicate = appended.every(({ outcome }) => outcome.done && outcome.duplicate)
    return jsonReply(200, { buckets: appended.map(appended.length === 1 ? onlyBucket : bucketOf), duplicate })
  }
  throw appended.length === 1 ? (failures[0] as SluiceError) : combined(appended, failures)
}

function onlyBucket({ partition, bucket, outcome }: BucketAppended): object {
  if (!outcome.done) return {}
  return { partition, bucket, baseOffset: outcome.base.toString(), endOffset: outcome.end.toString() }
}

function bucketOf({ partition, bucket, outcome }: BucketAppended): object {
  if (outcome.done) {
    const { base, end, duplicate } = outcome
    return { partition, bucket, baseOffset: base.toString(), endOffset: end.toString(), effect: 'done', duplicate }
  }
  return {
    partition,
    bucket,
    effect: outcome.error.effect,
    duplicate: false,
    error: JSON.parse(jsonText(errorBody(outcome.error))),
  }
}

function combined(appended: readonly BucketAppended[], failures: readonly SluiceError[]): SluiceError {
  const facts = { buckets: appended.map(bucketOf) }
  const effect = effectOf(appended, failures)
  const refusal = failures.find((error) => statusOf[error.code] === 403) ?? failures.find((error) => statusOf[error.code] === 409)
  // columns that have changed are known when the request comes again
  const final = refusal ?? failures.find(({ action, code }) => action !== 'retry' && code !== 'changed')
  const failed = `${failures.length} of ${appended.length} buckets failed`
  if (final !== undefined) {
    return new SluiceError(final.code, `${failed}: ${final.message}`, {
      effect,
      action: final.action,
      facts: { ...final.facts, ...facts },
    })
  }
  const first = failures[0] as SluiceError
  const code = effect === 'partial' ? 'unavailable' : first.code
  return new SluiceError(code, `${failed}: send the same request with the same sequence again; ${first.message}`, {
    effect,
    action: 'retry',
    facts,
  })
}
