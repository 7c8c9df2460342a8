/** File system errors as ours: what could not be done, why, and what is known about the effect. */
import { type Effect, isSluiceError, SluiceError } from '../../core/kernel/errors.ts'

const fixes: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full: free space',
  EDQUOT: 'the disk quota is used up: free space',
  EACCES: 'permission is missing: grant read and write to the user that runs this',
  EPERM: 'permission is missing: grant read and write to the user that runs this',
  EROFS: 'the file system is read-only: mount it writable or name another directory',
  ENOTDIR: 'a file lies where a directory is needed',
  EEXIST: 'a file lies where a directory is needed',
  EISDIR: 'a directory lies where a file is needed',
  EMFILE: 'too many files are open: raise the limit of open files',
  ENFILE: 'too many files are open: raise the limit of open files',
  ENOENT: 'it is missing',
}
/** These do not pass by themselves. */
const lasting = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST', 'EISDIR', 'ENOENT'])

export function fileError(error: unknown, what: string, effect: Effect): SluiceError {
  if (isSluiceError(error)) return error
  const code = codeOf(error)
  const fix = fixes[code] ?? (code || 'unexpected error')
  return new SluiceError('unavailable', `${what}: ${fix}`, {
    effect,
    action: lasting.has(code) ? 'stop' : 'retry',
    facts: { code },
    cause: error,
  })
}

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}
