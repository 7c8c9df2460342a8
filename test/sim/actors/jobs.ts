/** The worker behind the queue, and the sweep on its schedule: what functions/jobs and functions/sweep do. */

import { sweep } from '../../../core/jobs/sweep.ts'
import { limits } from '../../../core/kernel/limits.ts'
import { fold } from '../../../core/kv/fold/fold.ts'
import { collect } from '../../../core/log/collect.ts'
import { autoPartition } from '../../../core/log/keep/auto-partition.ts'
import { compact } from '../../../core/log/keep/compact.ts'
import { retain } from '../../../core/log/keep/retain.ts'
import { purge } from '../../../core/log/purge.ts'
import type { Job } from '../../../core/ports/queue.ts'
import { runTier } from '../../../core/tier/run.ts'
import type { Environment } from '../cluster.ts'
import { simulatedParquet } from '../parquet.ts'
import type { Stage } from '../stage.ts'
import { codeOf } from './ingest.ts'

/** Age only chooses candidates: safety must hold at any. */
const orphanAges: readonly number[] = [0, 0, 1_000, 60_000, limits.orphanAgeMs]
/** A function's time, and a little for its transport. */
const jobMs = 15 * 60_000
const sweepMs = 60_000

export function startWorkers(stage: Stage): void {
  stage.stores.queue.work = async (job) => {
    const isCalm = stage.calm.yes
    const outcome = await stage.cluster.invoke({
      role: job.kind,
      name: `${job.kind} ${job.table.tableId} for ${job.marks.length} marks`,
      timeoutMs: jobMs + 1_000,
      repeatable: true,
      run: (environment) => runJob(stage, environment, job),
    })
    if (outcome.is === 'error') judgeError(stage, job, outcome.error, isCalm)
    return outcome.is === 'answer'
  }
}

export async function sweepOnce(stage: Stage): Promise<void> {
  const outcome = await stage.cluster.invoke({
    role: 'sweep',
    name: 'sweep',
    timeoutMs: sweepMs,
    repeatable: true,
    run: ({ world }) => sweep(world, sweepMs),
  })
  if (outcome.is === 'error' && isDefect(outcome.error))
    stage.history.break('harness', 'error', `sweep: ${String(outcome.error)}`)
}

/** A job that no mark asked for: POST …/tier, a queue that delivers again, an operator. */
export function trigger(stage: Stage, kind: Job['kind']): void {
  const seen = stage.tables.at(-1)
  if (seen === undefined) return
  const job: Job = { kind, table: { ...stage.names, tableId: seen.tableId }, buckets: seen.buckets, marks: [] }
  void stage.stores.queue.work(job)
}

async function runJob(stage: Stage, { world, log, process }: Environment, job: Job): Promise<void> {
  // One that has hardly any time is a fault.
  const deadlineMs = process.clock.now() + stage.random.pick(stage.calm.yes ? [10_000, jobMs] : [1, 10_000, jobMs])
  switch (job.kind) {
    case 'tier':
      await runTier(world, log, simulatedParquet(world.clock), job, {
        deadlineMs,
        roundBytesMax: stage.swarm.roundBytesMax,
        fileBytesMax: stage.swarm.fileBytesMax,
        upkeep: stage.swarm.upkeep,
      })
      return
    case 'collect':
      await collect(world, job, stage.random.pick(orphanAges), stage.swarm.upkeep)
      return
    case 'purge':
      await purge(world, job, deadlineMs)
      return
    case 'retain':
      await retain(world, job, deadlineMs)
      return
    case 'compact':
      await compact(world, job, { deadlineMs, limits: stage.swarm.runLimits })
      return
    case 'fold': {
      const { levels, foldAgeMs } = stage.swarm
      const small = { ...(levels && { limits: levels }), ...(foldAgeMs !== undefined && { ageMs: foldAgeMs }) }
      await fold(world, log, job, { deadlineMs, ...small })
      return
    }
    case 'auto-partition':
      await autoPartition(world, job, deadlineMs)
  }
}

/** `isCalm`: the faults had stopped when it began; before, what it read may have been damaged. */
function judgeError({ history, swarm }: Stage, job: Job, error: unknown, isCalm: boolean): void {
  if (!isDefect(error) || (swarm.rates.corrupt > 0 && !isCalm)) return
  history.break('harness', 'error', `${job.kind}: ${error instanceof Error ? error.stack : String(error)}`)
}

const isDefect = (error: unknown): boolean => ['internal', 'unexpected'].includes(codeOf(error))
