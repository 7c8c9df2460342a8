/** A ParquetWriter and ParquetReader on the calling thread: no worker, no timing, the same bytes. For tests, the simulation and one-shot functions. */
import { SluiceError } from '../../core/kernel/errors.ts'
import type { ParquetReader, ParquetWriter } from '../../core/ports/parquet.ts'
import { encodeParquet, joinParquet, readParquetStream } from './encode.ts'

export function inlineParquet(): ParquetWriter & ParquetReader {
  return {
    write: async (stream, options) => trying(() => encodeParquet(stream, options)),
    join: async (files, options) => trying(() => joinParquet(files, options)),
    read: async (file) => trying(() => readParquetStream(file)),
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
  new SluiceError('internal', `parquet refused the rows: ${cause instanceof Error ? cause.message : String(cause)}`, {
    action: 'stop',
    cause,
  })
