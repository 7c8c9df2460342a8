/** The columns of a Parquet file as those of a new table. */
import { printType } from '../../core/model/type-text.ts'
import { openParquet } from './file.ts'
import { columnsOf } from './types.ts'

export async function parquetColumns(path: string): Promise<readonly object[]> {
  const { metadata, close } = await openParquet(path)
  await close()
  return columnsOf(metadata).map(({ name, type, nullable }) => ({
    name,
    type: printType(type),
    ...(!nullable && { nullable: false }),
  }))
}
