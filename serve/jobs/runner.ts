/** Who does the jobs of a server's queue: this thread, or another. */
import type { Clock } from '../../core/kernel/clock.ts'
import type { Job } from '../../core/ports/queue.ts'
import { type JobTime, runJob } from '../../functions/jobs.ts'
import type { FunctionWorld } from '../../functions/world.ts'
import { Counts } from '../../stores/decorators/count.ts'

export interface JobRunner {
  /** Rejects if the job failed. */
  run(job: Job): Promise<void>
  /** The time of every job is up: those that run commit what they have. */
  hurry(): void
  /** After the last job. What still runs is cut. */
  close(): Promise<void>
}

/** A job may run this long before it leaves the rest to the next. */
const jobMs = 60_000

/** Jobs of this thread. They are nobody's request: what they ask of the stores is not counted to whoever sent them. */
export function jobsHere(world: FunctionWorld): JobRunner {
  let isHurried = false
  return {
    run: (job) =>
      world.counter.scoped(new Counts(), () =>
        runJob(
          world,
          job,
          jobTime(world.clock, () => isHurried),
        ),
      ),
    hurry: () => {
      isHurried = true
    },
    close: async () => undefined,
  }
}

function jobTime(clock: Clock, isUp: () => boolean): JobTime {
  const end = clock.now() + jobMs
  return {
    get deadlineMs() {
      return isUp() ? 0 : end
    },
  }
}
