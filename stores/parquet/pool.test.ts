import { tableFromIPC } from 'apache-arrow'
import { parquetMetadata, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { afterAll, expect, test } from 'vitest'
import { batchOf, fieldOf } from '../../core/format/arrow/batch.case.ts'
import { encodeFrame } from '../../core/format/arrow/frame.ts'
import { encodeSchemaMessage, endOfStream } from '../../core/format/arrow/schema.ts'
import { concat, utf8 } from '../../core/kernel/bytes.ts'
import { inlineParquet } from './inline.ts'
import { ParquetPool } from './pool.ts'

const fields = [
  { ...fieldOf('n', { kind: 'bigint' }, false), id: 4 },
  { ...fieldOf('s', { kind: 'string' }), id: 5 },
]
const options = { dictionaryColumns: ['s'], deltaColumns: ['n'] }

function stream(rows: number): Uint8Array {
  const batch = batchOf(
    fields,
    Array.from({ length: rows }, (_, i) => [BigInt(i), i % 3 === 0 ? null : `s${i % 7}`]),
  )
  return concat([encodeSchemaMessage(fields, { ids: true }), encodeFrame(batch), endOfStream])
}

const pool = new ParquetPool({ workers: 2 })
afterAll(() => pool.close())

test('workers write the very bytes that the calling thread writes', async () => {
  const files = await Promise.all([10, 20, 30].map((rows) => pool.write(stream(rows), options)))
  for (const [i, rows] of [10, 20, 30].entries()) expect(files[i]).toEqual(await inlineParquet().write(stream(rows), options))
})

test('a stream is handed over, and a view into a larger buffer is copied', async () => {
  const owned = stream(5)
  const larger = new Uint8Array(owned.length + 8)
  larger.set(owned, 4)
  const file = await pool.write(larger.subarray(4, 4 + owned.length), options)
  expect(larger.length).toBe(owned.length + 8)
  expect(await pool.write(owned, options)).toEqual(file)
  expect(owned.length).toBe(0)
})

test('rows that are no arrow stream are refused, and the worker lives on', async () => {
  for (const writer of [pool, inlineParquet()]) {
    await expect(writer.write(stream(3).slice(0, 100), options)).rejects.toMatchObject({
      code: 'internal',
      message: /parquet writer/,
    })
    expect((await writer.write(stream(3), options)).subarray(0, 4)).toEqual(utf8('PAR1'))
  }
})

test('a worker that dies fails its own file only', async () => {
  const dying = new URL(
    `data:text/javascript,import{parentPort}from'node:worker_threads';parentPort.on('message',()=>process.exit(3))`,
  )
  const broken = new ParquetPool({ workerUrl: dying })
  const outcomes = await Promise.allSettled([broken.write(stream(1), options), broken.write(stream(1), options)])
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'unavailable', message: /ended while it wrote/ } })
  }
  await broken.close()
})

test('a closed pool fails what it had and takes no more', async () => {
  const closing = new ParquetPool()
  const write = closing.write(stream(3), options)
  const failed = expect(write).rejects.toThrow('closed')
  await closing.close()
  await failed
  await expect(closing.write(stream(1), options)).rejects.toThrow('closed')
})

test('a pool has a bounded number of workers', () => {
  expect(() => new ParquetPool({ workers: 0 })).toThrow('1 to 8')
  expect(() => new ParquetPool({ workers: 9 })).toThrow('1 to 8')
})

test('files are joined into one of all their rows, by workers as by the calling thread', async () => {
  const parts = [3, 1, 5]
  const files = () => Promise.all(parts.map((rows) => inlineParquet().write(stream(rows), options)))
  const joined = await pool.join(await files(), options)
  expect(joined.files).toBe(3)
  expect(joined).toEqual(await inlineParquet().join(await files(), options))
  const rows = await parquetReadObjects({ file: joined.file.slice().buffer, compressors })
  expect(rows.map(({ n }) => Number(n))).toEqual(parts.flatMap((count) => Array.from({ length: count }, (_, i) => i)))
  const metadata = parquetMetadata(joined.file.slice().buffer)
  expect(metadata.schema.map(({ name, field_id }) => [name, field_id])).toEqual([
    ['arrow_schema', undefined],
    ['n', 4],
    ['s', 5],
  ])
})

test('what is no parquet file is not joined, and the worker lives on', async () => {
  for (const writer of [pool, inlineParquet()]) {
    await expect(writer.join([utf8('no parquet file')], options)).rejects.toMatchObject({ code: 'internal' })
    expect((await writer.write(stream(3), options)).subarray(0, 4)).toEqual(utf8('PAR1'))
  }
})

test('a file is read as an Arrow stream of its rows with field ids, by workers as by the calling thread', async () => {
  const file = () => inlineParquet().write(stream(5), options)
  const read = await pool.read(await file())
  expect(read).toEqual(await inlineParquet().read(await file()))
  const table = tableFromIPC(read)
  expect(table.schema.fields.map(({ name, metadata }) => [name, metadata.get('PARQUET:field_id')])).toEqual([
    ['n', '4'],
    ['s', '5'],
  ])
  expect(table.toArray().map((row) => Number(row.n))).toEqual([0, 1, 2, 3, 4])
  for (const reader of [pool, inlineParquet()])
    await expect(reader.read(utf8('no parquet file'))).rejects.toMatchObject({ code: 'internal' })
})
