/**
 * One produce request in one environment: what functions/ingest does between HTTP and the log. Every execution is
 * recorded, so that an answer counts even where nobody waited for it.
 */

import { SluiceError } from '../../../core/kernel/errors.ts'
import { producerOf } from '../../../core/log/producer.ts'
import { routeRows } from '../../../core/log/route.ts'
import type { AppendRequest, BucketAppended } from '../../../core/log/types.ts'
import type { Table } from '../../../core/model/table.ts'
import { TableCache } from '../../../functions/tables.ts'
import type { Environment } from '../cluster.ts'
import type { AttemptRecord, PartAnswer, RequestRecord } from '../history.ts'
import { batchOf, bodyOf, valuesIn } from '../rows.ts'
import { databaseName, type Stage, tableName } from '../stage.ts'

export async function ingest(stage: Stage, environment: Environment, request: RequestRecord): Promise<AttemptRecord> {
  const { history, scheduler } = stage
  const attempt: AttemptRecord = { from: scheduler.now, until: undefined, tableId: undefined, parts: [], answer: undefined }
  request.attempts.push(attempt)
  const { producer, values } = request
  const tables = tableCache(stage, environment)
  const table = await tables.get(databaseName, tableName)
  attempt.tableId = table.tableId
  const routing = producer === undefined ? {} : { producer: { producerId: producer.name, sequence: producer.sequence } }
  const parts = routeRows(table, [batchOf(table.schema, values)], { ...routing, rotate: () => stage.random.below(1_000) })
  attempt.parts = parts.map(({ bucket, batches }) => ({ bucket, values: batches.flatMap(valuesIn) }))
  const appended = await appendRecorded(attempt, environment, table, {
    parts,
    ...(producer === undefined
      ? {}
      : {
          producer: producerOf({
            principal: 'local',
            producerId: producer.name,
            epoch: producer.epoch,
            sequence: producer.sequence,
            body: bodyOf(values),
            gapDetection: false,
          }),
        }),
  })
  if (appended.length !== parts.length)
    history.break('harness', 'answer', `${parts.length} parts were sent, ${appended.length} answered`)
  attempt.answer = appended.map(({ outcome }): PartAnswer => {
    if (outcome.done) return { done: true, base: outcome.base, end: outcome.end, duplicate: outcome.duplicate }
    return { done: false, code: outcome.error.code, effect: outcome.error.effect }
  })
  attempt.until = scheduler.now
  if (attempt.answer.some((answer) => !answer.done && (answer.code === 'gone' || answer.code === 'not-found'))) {
    tables.forget(databaseName, tableName)
  }
  return attempt
}

/** `append` throws only where nothing was attempted: that is an answer too. */
async function appendRecorded(
  attempt: AttemptRecord,
  { log }: Environment,
  table: Table,
  request: AppendRequest,
): Promise<readonly BucketAppended[]> {
  try {
    return await log.append(table, request)
  } catch (error) {
    if (error instanceof SluiceError)
      attempt.answer = attempt.parts.map(() => ({ done: false, code: error.code, effect: error.effect }))
    throw error
  }
}

export function tableCache(stage: Stage, environment: Environment): TableCache {
  const kept = environment.cache.get('tables')
  if (kept instanceof TableCache) return kept
  const made = new TableCache(environment.world)
  if (stage.swarm.cacheTable) environment.cache.set('tables', made)
  return made
}

export const codeOf = (error: unknown): string => (error instanceof SluiceError ? error.code : 'unexpected')
