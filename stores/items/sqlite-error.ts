/** SQLite's errors as ours. Source: sqlite.org/rescode.html, primary result codes. */
import { type Effect, isSluiceError, SluiceError } from '../../core/kernel/errors.ts'

const code = { busy: 5, locked: 6, readonly: 8, ioerr: 10, corrupt: 11, full: 13, cantopen: 14, notadb: 26 } as const
const fixes: Readonly<Record<number, string>> = {
  [code.busy]: 'another process holds the lock',
  [code.locked]: 'another process holds the lock',
  [code.readonly]: 'it is read-only: grant write permission to the user that runs this',
  [code.ioerr]: 'the disk failed',
  [code.corrupt]: 'it is damaged',
  [code.full]: 'the disk is full: free space',
  [code.cantopen]: 'it cannot be opened: grant read and write permission on it and its directory',
  [code.notadb]: 'it is no SQLite database',
}
const lasting = new Set<number>([code.readonly, code.corrupt, code.cantopen, code.notadb])

export function sqliteError(error: unknown, what: string, effect: Effect): SluiceError {
  if (isSluiceError(error)) return error
  const primary = primaryOf(error)
  const fix = fixes[primary] ?? (error instanceof Error ? error.message : 'unexpected error')
  const action = lasting.has(primary) ? 'stop' : 'retry'
  return new SluiceError('unavailable', `the item database: ${what}: ${fix}`, {
    effect,
    action,
    facts: { sqlite: primary },
    cause: error,
  })
}

export function isBusy(error: unknown): boolean {
  const primary = primaryOf(error)
  return primary === code.busy || primary === code.locked
}

function primaryOf(error: unknown): number {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : 0
}
