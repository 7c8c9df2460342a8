/** What a server and the thread of its jobs say to each other. Jobs have numbers; any number of them may be under way. */
import type { Job } from '../../core/ports/queue.ts'

/** `run` and its `job`; `hurry` and `close` as in JobRunner. */
export type ToJobs = { readonly run: number; readonly job: Job } | 'hurry' | 'close'

/** `counted`: since the last time. `done`: the job of this number, `error` if it failed. */
export type FromJobs = { readonly counted: Amounts } | { readonly done: number; readonly error?: FailedJob }

export interface Amounts {
  readonly storage: Readonly<Record<string, number>>
  readonly meter: Readonly<Record<string, number>>
}

export interface FailedJob {
  readonly message: string
  readonly stack: string | undefined
}
