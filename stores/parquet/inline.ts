/** A ParquetWriter on the calling thread: no worker, no timing, the same bytes. For tests, the simulation and one-shot functions. */
import { SluiceError } from '../../core/kernel/errors.ts'
import type { ParquetWriter } from '../../core/ports/parquet.ts'
import { encodeParquet, joinParquet } from './encode.ts'

export function inlineParquet(): ParquetWriter {
  return {
    write: async (stream, options) => trying(() => encodeParquet(stream, options)),
    join: async (files, options) => trying(() => joinParquet(files, options)),
  }
}

function trying<T>(work: () => T): T {
  try {
    return work()
  } catch (cause) {
    throw parquetError(cause)
  }
}

export const parquetError = (cause: unknown): SluiceError =>
  new SluiceError('internal', `the parquet writer refused the rows: ${cause instanceof Error ? cause.message : String(cause)}`, {
    action: 'stop',
    cause,
  })
