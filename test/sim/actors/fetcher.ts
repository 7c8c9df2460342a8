/** A reader with a cursor that follows one bucket: what it sees goes into the history, where it must never change. */
import { type Offset, offsetOf } from '../../../core/kernel/ids.ts'
import { decodeBuffers } from '../../../core/log/read/conform.ts'
import type { Fetched } from '../../../core/log/types.ts'
import { unpartitioned } from '../../../core/model/partition.ts'
import type { Table } from '../../../core/model/table.ts'
import type { History } from '../history.ts'
import { valuesIn } from '../rows.ts'
import { databaseName, type Stage, tableName } from '../stage.ts'
import { codeOf, tableCache } from './ingest.ts'

const cursorsMax = 64

export async function follow(stage: Stage, bucket: number, until: () => boolean): Promise<void> {
  const cursors = new Map<string, Offset>()
  for (let pauseMsMax = 10; !until(); pauseMsMax = Math.min(600_000, 1.1 * pauseMsMax)) {
    await fetchOnce(stage, bucket, cursors)
    await stage.cluster.sleep(stage.random.magnitude(5, Math.max(pauseMsMax, 4 * stage.swarm.thinkMs)))
    if (cursors.size > cursorsMax) return
  }
}

/** One fetch; the cursor of each table id moves behind what came. */
export async function fetchOnce(stage: Stage, bucket: number, cursors: Map<string, Offset>): Promise<void> {
  const { random, history } = stage
  const rowsMax = random.between(1, 20)
  const bytesMax = random.pick([1, 500, 1 << 20])
  const outcome = await stage.cluster.invoke({
    role: 'read',
    name: `fetch bucket ${bucket}`,
    timeoutMs: 30_000,
    repeatable: false,
    run: async (environment) => {
      const table = await tableCache(stage, environment).get(databaseName, tableName)
      const endBefore = history.endSeen(table.tableId, bucket)
      const from = cursors.get(table.tableId) ?? firstFrom(stage)
      const fetched = await environment.log.fetch(table, { partition: unpartitioned, bucket, from, rowsMax, bytesMax })
      return { table, from, fetched, endBefore }
    },
  })
  if (outcome.is === 'lost') return
  if (outcome.is === 'error') {
    const code = codeOf(outcome.error)
    if (code === 'unexpected') history.break('harness', 'error', `fetch bucket ${bucket}: ${String(outcome.error)}`)
    return
  }
  const { table, from, fetched, endBefore } = outcome.value
  see(stage, table, bucket, { from, fetched, endBefore, rowsMax })
  cursors.set(table.tableId, fetched.next)
}

function decoded(history: History, where: string, decode: () => readonly bigint[]): readonly bigint[] {
  try {
    return decode()
  } catch (error) {
    history.break('G5', 'damage', `${where}: ${String(error)}`)
    return []
  }
}

function firstFrom({ random, swarm }: Stage): Offset | 'earliest' | 'latest' {
  if (random.chance(0.2)) return offsetOf(swarm.floor)
  return random.chance(0.8) ? 'earliest' : 'latest'
}

interface SeenFetch {
  readonly from: Offset | 'earliest' | 'latest'
  readonly fetched: Fetched
  readonly endBefore: bigint
  readonly rowsMax: number
}

function see(stage: Stage, table: Table, bucket: number, { from, fetched, endBefore, rowsMax }: SeenFetch): void {
  const { history } = stage
  const { tableId, schema } = table
  const fields = schema.columns.map(({ id, name, type, nullable }) => ({ id, name, type, nullable }))
  const where = `fetch of ${tableId}#${bucket} from ${from}`
  if (fetched.end < endBefore) history.break('G5', 'monotonic', `${where}: the end went back from ${endBefore} to ${fetched.end}`)
  if (typeof from === 'bigint' && fetched.start !== from) history.break('G5', 'cursor', `${where} starts at ${fetched.start}`)
  let cursor: bigint = fetched.start
  let rows = 0
  for (const batch of fetched.rows) {
    if (batch.offset !== cursor) history.break('G3', 'dense', `${where}: a batch at ${batch.offset} follows ${cursor}`)
    const values = decoded(history, where, () => valuesIn(decodeBuffers(fields, batch.rows, batch.columns())))
    if (values.length !== batch.rows)
      history.break('G4', 'atomic', `${where}: a batch of ${batch.rows} rows holds ${values.length}`)
    values.forEach((value, i) => {
      history.see(tableId, bucket, batch.offset + BigInt(i), value)
    })
    cursor = batch.offset + BigInt(batch.rows)
    rows += batch.rows
  }
  if (fetched.next !== cursor) history.break('G5', 'cursor', `${where}: next is ${fetched.next}, the rows end at ${cursor}`)
  if (cursor > fetched.end) history.break('G5', 'monotonic', `${where}: rows up to ${cursor}, the end is ${fetched.end}`)
  if (rows === 0 && fetched.end > fetched.start)
    history.break('G12', 'progress', `${where}: no row of ${fetched.end - fetched.start}`)
  if (rows > rowsMax) history.break('harness', 'limit', `${where}: ${rows} rows where ${rowsMax} were asked for`)
  history.seeEnd(tableId, bucket, fetched.end)
}
