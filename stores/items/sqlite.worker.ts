/** The thread that writes to the SQLite file: a batch in, its outcomes out, one at a time. `undefined` closes it. */
import { parentPort, workerData } from 'node:worker_threads'
import { isSluiceError } from '../../core/kernel/errors.ts'
import { sqliteError } from './sqlite-error.ts'
import { type BatchResult, openWrites, plainError, type SqliteWrites, type WriteBatch } from './sqlite-writes.ts'

const path = workerData as string
let writes: SqliteWrites | undefined

parentPort?.on('message', (batch: WriteBatch | undefined) => {
  if (batch !== undefined) return parentPort?.postMessage(run(batch))
  writes?.close()
  parentPort?.close()
})

function run(batch: WriteBatch): BatchResult {
  try {
    writes ??= openWrites(path)
  } catch (error) {
    if (isSluiceError(error)) throw error
    return { error: plainError(sqliteError(error, path, 'none')) }
  }
  return writes.run(batch)
}
