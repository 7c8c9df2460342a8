/**
 * Errors of the AWS SDK as ours. What is known about a write: `none` when the service refused it or was never reached,
 * `unknown` after a time-out, a broken connection or a 5xx other than SlowDown. Reads have no effect.
 */
import { type Effect, isSluiceError, SluiceError } from '../core/kernel/errors.ts'

export const connectionMsMax = 2_000

const throttles = new Set([
  'SlowDown',
  'TooManyRequestsException',
  'RequestLimitExceeded',
  'ThrottlingException',
  'Throttling',
  'ThrottledException',
  'ProvisionedThroughputExceededException',
  'BandwidthLimitExceeded',
  'RequestThrottled',
  'RequestThrottledException',
  'LimitExceededException',
])
/** Refused before anything was done, and worth another attempt. */
const passing = new Set([
  'RequestTimeout',
  'ConditionalRequestConflict',
  'OperationAborted',
  'TransactionConflictException',
  'ReplicatedWriteConflictException',
])
const unreached = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL'])
const denied = new Set([
  'AccessDenied',
  'AccessDeniedException',
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'ExpiredToken',
  'ExpiredTokenException',
  'InvalidSignatureException',
  'UnrecognizedClientException',
  'CredentialsProviderError',
  'RequestTimeTooSkewed',
  'InvalidToken',
])
const missing = new Set([
  'NoSuchBucket',
  'ResourceNotFoundException',
  'AWS.SimpleQueueService.NonExistentQueue',
  'QueueDoesNotExist',
])

export function awsError(error: unknown, what: string, kind: 'read' | 'write'): SluiceError {
  if (isSluiceError(error)) return error
  const name = error instanceof Error ? error.name : ''
  const status = statusOf(error)
  const facts = { name, ...(status === undefined ? {} : { status }) }
  const ours = (
    code: 'throttled' | 'unavailable' | 'internal',
    effect: Effect,
    action: 'retry' | 'stop',
    why: string,
  ): SluiceError =>
    new SluiceError(code, `${what}: ${why}`, { effect: kind === 'read' ? 'none' : effect, action, facts, cause: error })
  if (throttles.has(name) || status === 429) return ours('throttled', 'none', 'retry', 'the service asks to slow down')
  if (denied.has(name) || status === 403)
    return ours(
      'unavailable',
      'none',
      'stop',
      `access is denied (${name}): grant the permission, or check the credentials and the clock`,
    )
  if (missing.has(name))
    return ours('unavailable', 'none', 'stop', `the bucket, table or queue does not exist (${name}): create it or name another`)
  if (passing.has(name) || status === 409) return ours('unavailable', 'none', 'retry', `refused for now (${name})`)
  if (status === undefined)
    return ours('unavailable', reached(error) ? 'unknown' : 'none', 'retry', `no answer (${codeOf(error) || name})`)
  if (status >= 500) return ours('unavailable', 'unknown', 'retry', `the service failed (${status} ${name})`)
  return ours(
    'internal',
    'none',
    'stop',
    `the service refuses the request (${status} ${name}: ${error instanceof Error ? error.message : ''})`,
  )
}

export function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('$metadata' in error)) return undefined
  const metadata = error.$metadata
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) return undefined
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined
}

/** A connection that never came about cannot have carried the request. */
function reached(error: unknown): boolean {
  if (unreached.has(codeOf(error))) return false
  return !(error instanceof Error && error.name === 'TimeoutError' && error.message.includes('connection'))
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}
