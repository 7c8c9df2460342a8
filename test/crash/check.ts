/** What must hold after the last kill. Every check throws with the first violation that it meets. */
import { pathToFileURL } from 'node:url'
import { icebergMetadata, icebergRead } from 'icebird'
import { fetchFile } from '../../cli/demo/file-fetch.ts'
import type { Lane } from './lane.ts'

export interface LogRow {
  readonly value: number
  readonly bucket: number
  readonly offset: bigint
}

/** Dense, acked at the acked offsets, once, and in the lanes' order. Returns the whole log. */
export async function checkLog(tableUrl: string, buckets: number, lanes: readonly Lane[]): Promise<readonly LogRow[]> {
  const log: LogRow[] = []
  for (let bucket = 0; bucket < buckets; bucket++) log.push(...(await readBucket(tableUrl, bucket)))
  const at = new Map(log.map((row) => [`${row.bucket}/${row.offset}`, row.value]))
  const values = new Set(log.map((row) => row.value))
  if (values.size !== log.length)
    throw new Error(`the log has ${log.length} rows but only ${values.size} different values: some are there twice`)
  let acked = 0
  for (const lane of lanes) {
    for (const row of lane.acked) {
      if (at.get(`${row.bucket}/${row.offset}`) !== row.value)
        throw new Error(`acked value ${row.value} is not at ${row.bucket}/${row.offset}`)
      acked += 1
    }
  }
  if (acked !== log.length)
    throw new Error(`the log has ${log.length} rows, but ${acked} were acked, and every request was repeated until it was`)
  const last = new Map<string, number>()
  for (const row of log) {
    const lane = `${row.bucket}/${Math.floor(row.value / 1e9)}`
    if ((last.get(lane) ?? -1) >= row.value)
      throw new Error(`value ${row.value} stands behind a later one of its lane in bucket ${row.bucket}`)
    last.set(lane, row.value)
  }
  return log
}

async function readBucket(tableUrl: string, bucket: number): Promise<readonly LogRow[]> {
  const rows: LogRow[] = []
  for (;;) {
    const response = await fetch(`${tableUrl}/log?bucket=${bucket}&offset=${rows.length}&limit=10000`)
    if (!response.ok) throw new Error(`fetch of bucket ${bucket} answered ${response.status}: ${await response.text()}`)
    const lines = (await response.text()).split('\n').filter((line) => line !== '')
    for (const line of lines) {
      const row = JSON.parse(line) as { v: string; __offset: string | number }
      if (BigInt(row.__offset) !== BigInt(rows.length))
        throw new Error(`offset ${row.__offset} of bucket ${bucket} stands where ${rows.length} belongs`)
      rows.push({ value: Number(row.v), bucket, offset: BigInt(rows.length) })
    }
    if (lines.length === 0) return rows
  }
}

/** The same rows, each once, at the same (bucket, offset). */
export async function checkLake(folder: string, log: readonly LogRow[]): Promise<void> {
  globalThis.fetch = fetchFile as typeof fetch
  const tableUrl = pathToFileURL(folder).href
  const lake = await icebergRead({ tableUrl, metadata: await icebergMetadata({ tableUrl }) })
  if (lake.length !== log.length) throw new Error(`the lake has ${lake.length} rows, the log ${log.length}`)
  const at = new Map(log.map((row) => [`${row.bucket}/${row.offset}`, row.value]))
  for (const row of lake) {
    const place = `${row.__bucket}/${row.__offset}`
    if (at.get(place) !== Number(row.v)) throw new Error(`the lake has ${row.v} at ${place}, the log ${at.get(place)}`)
    at.delete(place)
  }
}
