/** A Parquet file on a disk, read in slices. Closing it is on the caller. */
import { open } from 'node:fs/promises'
import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync } from 'hyparquet'
import { Failure } from '../failure.ts'

export interface ParquetFile {
  readonly buffer: AsyncBuffer
  readonly metadata: FileMetaData
  close(): Promise<void>
}

export async function openParquet(path: string): Promise<ParquetFile> {
  const file = await open(path)
  const { size } = await file.stat()
  const buffer = {
    byteLength: size,
    slice: async (start: number, end = size) => {
      const bytes = new Uint8Array(Math.max(0, end - start))
      const { bytesRead } = await file.read(bytes, 0, bytes.length, start)
      return bytes.buffer.slice(0, bytesRead)
    },
  }
  try {
    return { buffer, metadata: await parquetMetadataAsync(buffer), close: () => file.close() }
  } catch (error) {
    await file.close()
    throw new Failure(`${path} is not a Parquet file: ${(error as Error).message}`)
  }
}
