/**
 * The flights as upserts by route: each one adds itself to the row of its origin and destination. Cut into bodies, one for each bucket
 * of a group of rows, whose numbering never changes: a demo that was killed goes on with the same body under the same sequence, and the
 * flights of a route stay in order of time.
 */
import { bucketRows } from '../../../core/format/arrow/bucket.ts'
import type { Batch, ColumnData, Field } from '../../../core/format/arrow/column.ts'
import { encodeFrame } from '../../../core/format/arrow/frame.ts'
import { bytesOf } from '../../../core/format/arrow/layout.ts'
import { readArrowStream } from '../../../core/format/arrow/read.ts'
import { encodeSchemaMessage, endOfStream } from '../../../core/format/arrow/schema.ts'
import { concatBatches, gatherBatch } from '../../../core/format/arrow/take.ts'
import { present } from '../../../core/kernel/assert.ts'
import { concat } from '../../../core/kernel/bytes.ts'
import { parseType } from '../../../core/model/type-text.ts'
import { flightsStream } from '../flights.ts'
import { type Routes, routeNumber, type TextColumn } from './routes.ts'

export const buckets = 4

export const routesSpec = {
  columns: [
    { name: 'origin', type: 'string' },
    { name: 'destination', type: 'string' },
    { name: 'flights', type: 'bigint' },
    { name: 'delay', type: 'bigint' },
    { name: 'worst', type: 'bigint' },
    { name: 'last_at', type: 'timestamp(6)' },
    { name: 'last_delay', type: 'bigint' },
  ],
  primaryKey: ['origin', 'destination'],
  buckets: { count: buckets, key: ['origin', 'destination'] },
  options: {
    'merge-engine': 'aggregation',
    'fields.flights.agg': 'sum',
    'fields.delay.agg': 'sum',
    'fields.worst.agg': 'max',
    'fields.last_at.agg': 'last_value',
    'fields.last_delay.agg': 'last_value',
    // what is folded at the end begins at the first change
    'log.ttl': '3650d',
  },
}

export interface Source {
  readonly rows: number
  readonly groups: number
  /** Arrow stream of the flights of `group` whose routes lie in `bucket`; undefined where there are none. */
  body(group: number, bucket: number): { readonly bytes: Uint8Array; readonly rows: number } | undefined
  /** What the rows must be, computed from the file alone. */
  routes(): Routes
}

const field = (name: string, type: string): Field => ({ id: 0, name, type: parseType(type), nullable: true })
const fileFields = ['date timestamp(6)', 'delay bigint', 'origin string', 'destination string'].map((text) => {
  const [name = '', type = ''] = text.split(' ')
  return field(name, type)
})
const tableFields = routesSpec.columns.map(({ name, type }) => field(name, type))
const rowsPerGroup = 24_576

/** The first `rowsMax` flights. */
export function loadSource(rowsMax: number): Source {
  const unwanted = [field('distance', 'bigint')]
  const read = readArrowStream(flightsStream(rowsMax), [...fileFields, ...unwanted], { rowsMax, expandedBytesMax: 2 ** 30 })
  const flights = concatBatches(read)
  const bucketOf = bucketRows(flights, routesSpec.primaryKey, buckets)
  return {
    rows: flights.rows,
    groups: Math.ceil(flights.rows / rowsPerGroup),
    body(group, bucket) {
      const rows: number[] = []
      const end = Math.min(flights.rows, (group + 1) * rowsPerGroup)
      for (let row = group * rowsPerGroup; row < end; row++) if (bucketOf[row] === bucket) rows.push(row)
      if (rows.length === 0) return undefined
      const upserts = upsertsOf(gatherBatch(flights, Uint32Array.from(rows)))
      return { bytes: concat([encodeSchemaMessage(tableFields), encodeFrame(upserts), endOfStream]), rows: rows.length }
    },
    routes: () => routesOf(flights),
  }
}

const columnOf = ({ fields, columns }: Batch, name: string): ColumnData =>
  present(columns[fields.findIndex((each) => each.name === name)], 'a column of the flights')

function upsertsOf(flights: Batch): Batch {
  const [origin, destination] = [columnOf(flights, 'origin'), columnOf(flights, 'destination')]
  const [date, delay] = [columnOf(flights, 'date'), columnOf(flights, 'delay')]
  const one: ColumnData = {
    ...delay,
    nullCount: 0,
    validity: undefined,
    values: bytesOf(new BigInt64Array(flights.rows).fill(1n)),
  }
  return { rows: flights.rows, fields: tableFields, columns: [origin, destination, one, delay, delay, date, delay] }
}

function routesOf(flights: Batch): Routes {
  const routes: Routes = new Map()
  const [origins, destinations] = [textColumn(columnOf(flights, 'origin')), textColumn(columnOf(flights, 'destination'))]
  const [dates, delays] = [longs(columnOf(flights, 'date')), longs(columnOf(flights, 'delay'))]
  for (let row = 0; row < flights.rows; row++) {
    const route = routeNumber(origins, destinations, row)
    const [delay, lastAt] = [Number(delays[row]), Number(dates[row])]
    const before = routes.get(route)
    if (before === undefined) routes.set(route, { flights: 1, delay, worst: delay, lastAt, lastDelay: delay })
    else {
      before.flights++
      before.delay += delay
      before.worst = Math.max(before.worst, delay)
      before.lastAt = lastAt
      before.lastDelay = delay
    }
  }
  return routes
}

const textColumn = ({ offsets, values }: ColumnData): TextColumn => ({
  offsets: present(offsets, 'the offsets of a text'),
  bytes: present(values, 'the bytes of a text'),
})

const longs = ({ values = new Uint8Array(), length }: ColumnData): BigInt64Array =>
  new BigInt64Array(values.slice(0, 8 * length).buffer)
