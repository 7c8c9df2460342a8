/** POST …/lookup and …/lookup/prefix: rows by key, in the order of the keys. */
import { media } from '../../contract/media.ts'
import type { Batch } from '../../core/format/arrow/column.ts'
import { joinedByCommas } from '../../core/format/json/lines.ts'
import { present } from '../../core/kernel/assert.ts'
import { joined, lengthOf, utf8, utf8Text } from '../../core/kernel/bytes.ts'
import { type Effect, SluiceError } from '../../core/kernel/errors.ts'
import { limits } from '../../core/kernel/limits.ts'
import type { LookedUp, LookupOptions } from '../../core/kv/lookup.ts'
import { batchOf, type Row } from '../../core/kv/values.ts'
import type { Table } from '../../core/model/table.ts'
import type { Handler, Reply } from '../call.ts'
import { withTable } from '../tables.ts'
import { arrowBody, assertKeyed, bucketsText, columnsNamed, keysOf, rowLines } from './answer.ts'

export const lookup: Handler<'lookup'> = ({ params, value, wants }, world) =>
  withTable(world.tables, params, async (table) => {
    assertKeyed(table)
    const columns = columnsNamed(table, value.columns)
    const keys = keysOf(table, table.primaryKey ?? [], value.keys)
    const options = optionsOf(value)
    const inserts = value.insert === true
    const {
      rows: found,
      buckets,
      inserted,
    } = inserts
      ? await world.kv.lookupOrInsert(table, keys, options) // COMMIT POINT
      : { ...(await world.kv.lookup(table, keys, options)), inserted: 0 }
    world.meter.add('keys.looked-up', keys.rows)
    world.meter.add('rows.received', inserted)
    const there = [...found.keys()].filter((index) => found[index] !== undefined)
    const batch = batchOf(
      columns,
      there.map((index) => present(found[index], 'a row that was found')),
    )
    const effect = inserted > 0 ? 'done' : 'none'
    if (wants === media.arrow) return rowsReply(wants, arrowBody(batch, { keyIndices: there, buckets }), effect)
    const lines = allLines(batch, effect)
    if (there.length === found.length) return rowsReply(wants, jsonBody(joinedByCommas(lines), buckets), effect)
    const texts = new Array<string>(found.length).fill('null')
    for (const [i, text] of textsOf(lines).entries()) texts[present(there[i], 'the index of a key')] = text
    return rowsReply(wants, jsonBody([utf8(texts.join(','))], buckets), effect)
  })

type Asked = Pick<Parameters<Handler<'lookup'>>[0]['value'], 'stale' | 'columns'>

const optionsOf = ({ stale = false, columns }: Asked): LookupOptions => ({
  stale,
  ...(columns && { columns }),
  bytesMax: limits.fetchBodyBytesMax,
})

export const lookupPrefix: Handler<'lookupPrefix'> = ({ params, value, wants }, world) =>
  withTable(world.tables, params, async (table) => {
    assertKeyed(table)
    const columns = columnsNamed(table, value.columns)
    const keys = keysOf(table, prefixColumns(table), value.keys)
    const { limit: rowsMax = limits.prefixRowsDefault } = value
    const { rows: found, buckets } = await world.kv.lookupPrefix(table, keys, { ...optionsOf(value), rowsMax })
    world.meter.add('keys.looked-up', keys.rows)
    const batch = batchOf(columns, found.flat())
    if (wants === media.arrow) return rowsReply(wants, arrowBody(batch, { keyIndices: indicesOf(found), buckets }))
    const texts = textsOf(allLines(batch)).values()
    const lists = found.map((rows) => `[${rows.map(() => texts.next().value).join(',')}]`)
    return rowsReply(wants, jsonBody([utf8(lists.join(','))], buckets))
  })

const indicesOf = (found: readonly (readonly Row[])[]): readonly number[] => found.flatMap((rows, i) => rows.map(() => i))

/** The bucket key, and what names the partition. Errors: `bad-request`: the bucket key is not the beginning of the primary key. */
function prefixColumns({ primaryKey = [], partitionBy, buckets, database, name }: Table): readonly string[] {
  const own = primaryKey.filter((column) => !partitionBy.includes(column))
  const key = buckets.key ?? []
  const isPrefix = key.length < own.length && key.every((column, i) => column === own[i])
  if (isPrefix) return [...key, ...partitionBy]
  throw new SluiceError(
    'bad-request',
    `the bucket key of ${database}.${name} is not the beginning of a longer primary key: use lookup, or create a table whose buckets.key is`,
    { facts: { primaryKey, bucketKey: key } },
  )
}

/** `effect`: of the call before its answer. Errors: `too-large`, before more is written than can be sent. */
function allLines(batch: Batch, effect: Effect = 'none'): readonly Uint8Array[] {
  const { pieces, rows } = rowLines(batch, answerBytesMax)
  if (rows < batch.rows) throw tooLarge(effect)
  return pieces
}

/** One a row. */
const textsOf = (lines: readonly Uint8Array[]): readonly string[] => utf8Text(joined(lines)).split('\n').slice(0, -1)

const jsonBody = (rows: readonly Uint8Array[], buckets: LookedUp<unknown>['buckets']): readonly Uint8Array[] => [
  utf8('{"rows":['),
  ...rows,
  utf8(`],"buckets":${bucketsText(buckets)}}`),
]

const rowsReply = (type: string, body: readonly Uint8Array[], effect: Effect = 'none'): Reply => {
  if (lengthOf(body) > answerBytesMax) throw tooLarge(effect)
  return { status: 200, headers: { 'Content-Type': type }, body }
}

const tooLarge = (effect: Effect): SluiceError =>
  new SluiceError('too-large', `the answer has more than ${answerBytesMax} bytes: ask for fewer keys or columns at once`, {
    effect,
  })

/** What every host can send. */
const answerBytesMax = limits.fetchBodyBytesMax + 1024 * 1024
