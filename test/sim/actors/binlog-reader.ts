/** A reader of changes: pages of any size from any record of a bucket, each judged by the changelog as it was written. */
import { headKey } from '../../../core/format/items/head.ts'
import { offsetOf } from '../../../core/kernel/ids.ts'
import { binlogColumns, binlogPage } from '../../../core/kv/binlog.ts'
import { keyFormOf, keyOf } from '../../../core/kv/key.ts'
import { type Row, rowsOf } from '../../../core/kv/values.ts'
import { decodeBuffers } from '../../../core/log/read/conform.ts'
import { offsetAt } from '../../../core/log/read/rows.ts'
import { type ChangeSeen, checkBinlog, type KeyedWatch, seenOf } from '../checks/keyed.ts'
import { databaseName, type Stage, tableName } from '../stage.ts'
import { codeOf, tableCache } from './ingest.ts'

export async function readChanges(stage: Stage, watch: KeyedWatch, isWorking: () => boolean): Promise<void> {
  const { random, cluster, swarm } = stage
  const next = new Map<number, bigint>()
  while (isWorking()) {
    await cluster.sleep(random.magnitude(100, Math.max(5_000, 8 * swarm.thinkMs)))
    await readPageOfChanges(stage, watch, random.below(swarm.buckets), next)
  }
}

async function readPageOfChanges(stage: Stage, watch: KeyedWatch, bucket: number, next: Map<number, bigint>): Promise<void> {
  const { random, cluster, history, swarm } = stage
  const changesMax = random.between(1, 4)
  const bytesMax = random.pick([1, 500, 1 << 20])
  const share = random.next()
  const isAnywhere = random.chance(0.3)
  await cluster.invoke({
    role: 'read',
    name: `changes of bucket ${bucket}`,
    timeoutMs: 30_000,
    repeatable: true,
    run: async (environment) => {
      const table = await tableCache(stage, environment).get(databaseName, tableName)
      const known = watch.buckets.get(headKey(table.tableId, { partition: '', bucket }).partition)
      if (known === undefined) return
      const span = Number(known.end - known.floor)
      const from = offsetOf(isAnywhere ? known.floor + BigInt(Math.floor(share * span)) : (next.get(bucket) ?? known.floor))
      const fields = table.schema.columns
      try {
        const page = await environment.log.readPage(table, {
          selection: { buckets: [{ first: bucket, last: bucket }], partitions: { kind: 'all' } },
          from: { first: from },
          bytesMax,
          ...binlogPage({ columns: fields, changesMax }),
        })
        const form = keyFormOf(table)
        const seen = (row: Row | null) => (row === null ? undefined : seenOf(row))
        const changes = page.rows.flatMap((rows) =>
          rowsOf(decodeBuffers(binlogColumns(fields), rows.rows, rows.columns())).map((change, i): ChangeSeen => {
            const [before, after] = change as readonly [Row | null, Row | null]
            return {
              offset: offsetAt(rows, i),
              key: keyOf(form, before ?? after ?? []),
              before: seen(before),
              after: seen(after),
            }
          }),
        )
        const taken = share < 0.7 ? changes.length : Math.ceil(changes.length * share)
        const to = page.after(taken).offsets[0]?.offset ?? from
        page.release()
        checkBinlog(history, known, { from, to, changes: changes.slice(0, taken) })
        next.set(bucket, to)
      } catch (error) {
        if (codeOf(error) === 'offset-out-of-range') next.set(bucket, known.end)
        if (codeOf(error) === 'unexpected' || (codeOf(error) === 'internal' && swarm.rates.corrupt === 0))
          history.break('harness', 'error', `changes: ${error instanceof Error ? error.stack : String(error)}`)
      }
    },
  })
}
