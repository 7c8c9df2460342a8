/** Replies of the common kinds. */
import { errorBody, jsonText, retryAfterSeconds, statusOf } from '../../contract/errors.ts'
import { icebergError, isIcebergPath } from '../../contract/iceberg-errors.ts'
import { media } from '../../contract/media.ts'
import { isSluiceError, SluiceError } from '../../core/kernel/errors.ts'
import type { Reply } from '../call.ts'

const nothing = new Uint8Array(0)
const jsonHeaders = { 'Content-Type': media.json } as const

/** `value`: JSON, no bigint in it. */
export function jsonReply(status: number, value: unknown, headers?: Readonly<Record<string, string>>): Reply {
  return textReply(status, JSON.stringify(value), headers)
}

/** Buffer, not TextEncoder: it is the quicker of the two for short text, and this is every answer. */
function textReply(status: number, text: string, headers?: Readonly<Record<string, string>>): Reply {
  return { status, headers: headers === undefined ? jsonHeaders : { ...jsonHeaders, ...headers }, body: Buffer.from(text) }
}

export function emptyReply(status: number, headers: Readonly<Record<string, string>> = {}): Reply {
  return { status, headers, body: nothing }
}

export interface Asked {
  readonly method: string
  /** As it was sent. */
  readonly target: string
}

/** Anything that is not ours becomes `internal` and keeps its words to itself. `asked`: for what, where that is known. */
export function errorReply(thrown: unknown, asked: Asked = { method: '', target: '' }): Reply {
  const error = toSluiceError(thrown)
  const iceberg = isIcebergPath(asked.target) ? icebergError(error, asked) : undefined
  const status = iceberg?.code ?? statusOf[error.code]
  const headers: Record<string, string> = {}
  if (status === 429 || status === 503) headers['Retry-After'] = String(error.facts.retryAfterSeconds ?? retryAfterSeconds)
  if (status === 405 && typeof error.facts.allow === 'string') headers.Allow = error.facts.allow
  return textReply(status, jsonText({ error: iceberg ?? errorBody(error) }), headers)
}

/** Effect unknown: whoever threw something else did not say how far it came. */
export function toSluiceError(thrown: unknown): SluiceError {
  if (isSluiceError(thrown) && thrown.code !== 'internal') return thrown
  const effect = isSluiceError(thrown) ? thrown.effect : 'unknown'
  return new SluiceError('internal', 'a defect of the server: its log has more under this request id', {
    effect,
    action: 'stop',
    cause: thrown,
  })
}
