/** A worker thread that writes or reads one Parquet file per request. An error of the rows is an answer; anything worse ends the thread. */
import { parentPort } from 'node:worker_threads'
import { present } from '../../core/kernel/assert.ts'
import type { JoinedFile } from '../../core/ports/parquet.ts'
import { encodeParquet, joinParquet, readParquetStream } from './encode.ts'
import type { ParquetReply, ParquetRequest } from './messages.ts'

parentPort?.on('message', ({ source, options }: ParquetRequest) => {
  try {
    // Out of the module's memory already: parquet-wasm hands out copies.
    const made = answer(source, options)
    const file = made.file as Uint8Array<ArrayBuffer>
    parentPort?.postMessage(
      { file, files: made.files } satisfies ParquetReply,
      file.byteLength === file.buffer.byteLength ? [file.buffer] : [],
    )
  } catch (error) {
    // A trap leaves the module in no state to go on: the thread ends, the pool starts another.
    if (error instanceof Error && error.name === 'RuntimeError') throw error
    parentPort?.postMessage({ error: error instanceof Error ? error.message : String(error) } satisfies ParquetReply)
  }
})

function answer(source: ParquetRequest['source'], options: ParquetRequest['options']): JoinedFile {
  if (!(source instanceof Uint8Array)) return joinParquet(source, present(options, 'the options of a file'))
  return { file: options === undefined ? readParquetStream(source) : encodeParquet(source, options), files: 1 }
}
