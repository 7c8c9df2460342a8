/**
 * The job queue of the simulation: at least once, unordered, delayed. A job is delivered to `work`; one that is
 * not finished within the visibility time, or fails, is delivered again, a bounded number of times; the sweep finds
 * what is left.
 */
import { SluiceError } from '../../core/kernel/errors.ts'
import type { Job, JobQueue } from '../../core/ports/queue.ts'
import type { Network } from './network.ts'
import type { Process } from './process.ts'
import type { Seeded } from './random.ts'
import type { Scheduler } from './scheduler.ts'

const delayMsMax = 15 * 60_000
const deliveriesMax = 5

export class QueueState {
  /** Resolves true when the job is finished. */
  work: (job: Job) => Promise<boolean> = async () => true
  duplicates = 0
  readonly #scheduler: Scheduler
  readonly #random: Seeded
  readonly #visibilityMs: number

  constructor(scheduler: Scheduler, random: Seeded, visibilityMs: number) {
    this.#scheduler = scheduler
    this.#random = random
    this.#visibilityMs = visibilityMs
  }

  accept(job: Job, delayMs: number): void {
    const copies = this.#random.chance(this.duplicates) ? 2 : 1
    for (let i = 0; i < copies; i++) this.#deliver(job, delayMs + this.#random.between(1, 500), 1)
  }

  #deliver(job: Job, ms: number, delivery: number): void {
    this.#scheduler.after(ms, 'timer', () => {
      let settled = false
      const again = (): void => {
        if (settled) return
        settled = true
        if (delivery < deliveriesMax) this.#deliver(job, 0, delivery + 1)
      }
      this.#scheduler.after(this.#visibilityMs, 'timer', again)
      this.work(job).then((finished) => {
        if (finished) settled = true
        else if (!settled) {
          settled = true
          if (delivery < deliveriesMax) this.#deliver(job, this.#random.between(1_000, 30_000), delivery + 1)
        }
      }, again)
    })
  }
}

export class SimulatedQueue implements JobQueue {
  readonly #from: Process
  readonly #network: Network
  readonly #state: QueueState

  constructor(from: Process, network: Network, state: QueueState) {
    this.#from = from
    this.#network = network
    this.#state = state
  }

  async send(job: Job, delayMs = 0): Promise<void> {
    if (!(delayMs >= 0 && delayMs <= delayMsMax))
      throw new SluiceError('internal', `a queue delays a job by at most ${delayMsMax} ms`)
    const sent = structuredClone(job)
    const call = {
      store: 'queue',
      operation: 'send',
      name: `${job.kind} ${job.table.tableId}`,
      writes: true,
      mayBeStale: false,
      mayBeCorrupt: false,
      mayBePartial: false,
    } as const
    await this.#network.call(this.#from, call, () => this.#state.accept(sent, delayMs))
  }
}
