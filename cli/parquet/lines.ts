/** The rows of a Parquet file as NDJSON, a row group in memory at a time. */
import { parquetRead, parquetSchema } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { openParquet } from './file.ts'
import { textWriter, withRawValues } from './json-text.ts'

/** A line each, without its end. Errors: columns without a type here. */
export async function* parquetLines(path: string): AsyncGenerator<string> {
  const { buffer, metadata, close } = await openParquet(path)
  try {
    const columns = parquetSchema(metadata).children.map((node) => ({
      name: node.element.name,
      key: JSON.stringify(node.element.name),
      write: textWriter(node),
    }))
    const raw = withRawValues(metadata)
    let rowStart = 0
    for (const group of metadata.row_groups) {
      const rowEnd = rowStart + Number(group.num_rows)
      let rows: readonly Record<string, unknown>[] = []
      await parquetRead({
        file: buffer,
        metadata: raw,
        rowStart,
        rowEnd,
        rowFormat: 'object',
        utf8: false,
        geoparquet: false,
        compressors,
        parsers: { timestampFromNanoseconds: (value: bigint) => value },
        onComplete: (found) => {
          rows = found
        },
      })
      for (const row of rows) yield `{${columns.map(({ name, key, write }) => `${key}:${write(row[name])}`).join()}}`
      rowStart = rowEnd
    }
  } finally {
    await close()
  }
}
