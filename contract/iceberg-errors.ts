/**
 * Errors under /iceberg in the Iceberg REST catalog's own model: `{"error":{"message","type","code"}}`. Types are the names of
 * Iceberg's exceptions, by which its clients decide; the status is `code`. A table of a namespace that is not there, or cannot
 * be, is a table that is not there: so engines go on to look for `db.table.snapshots` as a metadata table.
 */
import type { ErrorCode, SluiceError } from '../core/kernel/errors.ts'
import { statusOf } from './errors.ts'

export interface IcebergError {
  readonly message: string
  readonly type: string
  readonly code: number
}

export const isIcebergPath = (path: string): boolean => /^(https?:\/\/[^/?#]*)?\/iceberg(\/|\?|$)/i.test(path)

/** `target`: as it was sent, with its query or without. */
export function icebergError(
  error: SluiceError,
  { method, target }: { readonly method: string; readonly target: string },
): IcebergError {
  const { message } = error
  if (error.effect === 'unknown' && method === 'POST') return { message, type: 'CommitStateUnknownException', code: 500 }
  const code = icebergStatusOf(error.code)
  return { message, type: code === 404 ? missingType(target) : (typeOf[error.code] ?? 'BadRequestException'), code }
}

/** A name that cannot be is one that is not there. */
export const icebergStatusOf = (code: ErrorCode): number => (absent.has(code) ? 404 : statusOf[code])

const absent: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['not-found', 'invalid-name', 'gone'])

function missingType(path: string): string {
  if (/\/iceberg\/v1\/namespaces\/[^/?]+\/tables\/[^/?]+/.test(path)) return 'NoSuchTableException'
  if (/\/iceberg\/v1\/namespaces/.test(path)) return 'NoSuchNamespaceException'
  return 'NotFoundException'
}

const typeOf: Readonly<Partial<Record<ErrorCode, string>>> = {
  unauthenticated: 'NotAuthorizedException',
  'stale-epoch': 'ForbiddenException',
  'forbidden-origin': 'ForbiddenException',
  'method-not-allowed': 'UnsupportedOperationException',
  'not-acceptable': 'UnsupportedOperationException',
  'not-supported': 'UnsupportedOperationException',
  exists: 'AlreadyExistsException',
  'not-empty': 'NamespaceNotEmptyException',
  conflict: 'CommitFailedException',
  changed: 'CommitFailedException',
  throttled: 'TooManyRequestsException',
  internal: 'InternalServerError',
  unavailable: 'ServiceUnavailableException',
  timeout: 'ServiceFailureException',
  full: 'ServiceFailureException',
}
