/**
 * A table's lake over HTTP: its state, and "now". The work itself is a job, as any trigger's; this call sends it, and
 * waits until every row that was there when it was asked is committed. A worker that was at it already may have looked
 * too early, so the job is sent again while rows are missing.
 */
import { type Points, pointAt } from '../../core/format/items/points.ts'
import { SluiceError } from '../../core/kernel/errors.ts'
import { limits } from '../../core/kernel/limits.ts'
import { partitionsOf, tieredHeads } from '../../core/log/buckets.ts'
import type { BucketOffsets } from '../../core/log/types.ts'
import { idOf } from '../../core/model/partition.ts'
import type { Table } from '../../core/model/table.ts'
import { lakePoints, tierState } from '../../core/tier/state.ts'
import type { Handler } from '../call.ts'
import { jsonReply } from '../http/reply.ts'
import { withTable } from '../tables.ts'
import type { FunctionWorld } from '../world.ts'

export const getTier: Handler<'getTier'> = ({ params }, world) =>
  withTable(world.tables, params, async (table) => jsonReply(200, await tierState(world, world.log, table)))

export const tier: Handler<'tier'> = ({ params, query, signal }, world) =>
  withTable(world.tables, params, async (table) => {
    if (table.options.lakeFormat === 'none') {
      throw new SluiceError(
        'bad-request',
        `table ${table.database}.${table.name} has no lake: create one with the option lake.format`,
      )
    }
    const heads = await tieredHeads(world, table)
    const done = await untilTiered(table, heads, { world, waitMs: Math.min(query.wait ?? 0, limits.waitMsMax), signal })
    return jsonReply(done ? 200 : 202, await tierState(world, world.log, table))
  })

interface Waiting {
  readonly world: FunctionWorld
  readonly waitMs: number
  readonly signal: AbortSignal
}

const pollMsMin = 20
const pollMsMax = 500
const resendMs = 2_000

/** Partitions that are dropped meanwhile are not waited for. */
async function untilTiered(table: Table, wanted: readonly BucketOffsets[], { world, waitMs, signal }: Waiting): Promise<boolean> {
  const { clock } = world
  let heads = wanted
  const deadline = clock.now() + waitMs
  let sentAt = Number.NEGATIVE_INFINITY
  for (let pollMs = pollMsMin; ; pollMs = Math.min(pollMsMax, pollMs * 1.5)) {
    if (isTiered(heads, (await lakePoints(world, table)).points)) return true
    const now = clock.now()
    if (now - sentAt >= resendMs) {
      if (sentAt > 0) heads = await ofThoseThatStay(world, table, heads)
      sentAt = now
      await sendTierJob(world, table)
    }
    const left = deadline - now
    if (left <= 0 || signal.aborted) return false
    await clock.sleep(Math.min(left, pollMs), signal)
  }
}

async function ofThoseThatStay(world: FunctionWorld, table: Table, heads: readonly BucketOffsets[]) {
  const ids = new Set<string>()
  for await (const { id } of partitionsOf(world, table, 'tiered')) ids.add(id)
  return heads.filter(({ partition }) => ids.has(partition.id))
}

function isTiered(heads: readonly BucketOffsets[], points: Points): boolean {
  return heads.every((head) => head.end === head.start || (pointAt(points, idOf(head))?.offset ?? 0n) >= head.end)
}

/** Answers no mark: those stay for the sweep. */
async function sendTierJob(world: FunctionWorld, { database, name, tableId, buckets }: Table): Promise<void> {
  await world.queue.send({ kind: 'tier', table: { database, table: name, tableId }, buckets: buckets.count, marks: [] })
}
