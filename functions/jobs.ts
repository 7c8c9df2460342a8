/** A job to the part of the core that does it. Whoever triggers it may do so twice: jobs are idempotent. */
import { fold } from '../core/kv/fold/fold.ts'
import { collect } from '../core/log/collect.ts'
import { autoPartition } from '../core/log/keep/auto-partition.ts'
import { compact } from '../core/log/keep/compact.ts'
import { retain } from '../core/log/keep/retain.ts'
import { purge } from '../core/log/purge.ts'
import type { Job } from '../core/ports/queue.ts'
import { runTier } from '../core/tier/run.ts'
import type { FunctionWorld } from './world.ts'

/** Of Arrow, in one commit. */
const roundBytesMax = 256 * 1024 * 1024

export interface JobTime {
  /** ms since 1970, when the time of this invocation is up; it may come nearer meanwhile. What is left is the next job's. */
  readonly deadlineMs: number
}

export async function runJob(world: FunctionWorld, job: Job, time: JobTime): Promise<void> {
  world.meter.add(`jobs.${job.kind}`, 1)
  switch (job.kind) {
    case 'tier': {
      const options = {
        roundBytesMax,
        get deadlineMs() {
          return time.deadlineMs
        },
      }
      const outcome = await runTier(world, world.log, world.parquet, job, options)
      world.meter.add('rows.tiered', Number(outcome.rows))
      world.meter.add('snapshots', outcome.snapshots)
      return
    }
    case 'collect':
      await collect(world, job)
      return
    case 'purge':
      await purge(world, job, time.deadlineMs)
      return
    case 'retain': {
      const { items } = await retain(world, job, time.deadlineMs)
      world.meter.add('items.retired', items)
      return
    }
    case 'compact': {
      const { items, bytes } = await compact(world, job, time)
      world.meter.add('items.joined', items)
      world.meter.add('bytes.joined', bytes)
      return
    }
    case 'fold': {
      const { publications, bytes } = await fold(world, world.log, job, time)
      world.meter.add('snapshots.published', publications)
      world.meter.add('bytes.folded', bytes)
      return
    }
    case 'auto-partition': {
      const { created, dropped } = await autoPartition(world, job, time.deadlineMs)
      world.meter.add('partitions.created', created)
      world.meter.add('partitions.dropped', dropped)
    }
  }
}
