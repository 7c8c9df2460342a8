/** JobQueue: at least once, unordered, delayable. Jobs are idempotent, so that any trigger is correct. */
export interface JobQueue {
  send(job: Job, delayMs?: number): Promise<void>
}

/**
 * `tier`: bring a table's log into its lake · `collect`: delete a table's orphaned objects ·
 * `purge`: finish a drop and remove what a dropped table left · `retain`: give up rows that are older than the table's `log.ttl` ·
 * `compact`: join small objects of the log into larger ones · `auto-partition`: drop the periods that are too old, make those ahead ·
 * `fold`: bring the changelog of a table with a primary key into its snapshots.
 */
export const jobKinds = ['tier', 'collect', 'purge', 'retain', 'compact', 'auto-partition', 'fold'] as const
export type JobKind = (typeof jobKinds)[number]
export const isJobKind = (text: string | undefined): text is JobKind => jobKinds.some((kind) => kind === text)

export interface Job {
  readonly kind: JobKind
  readonly table: TableName
  /** Of the table, so that the heads of a dropped one can be found. */
  readonly buckets: number
  /** A job for one partition: its id and name. */
  readonly partition?: { readonly id: string; readonly name: string }
  /** The sort keys of the due marks that this job answers; empty for a job that no mark asked for. */
  readonly marks: readonly string[]
}

/** A table as jobs name it: the id decides, the names only find its item. */
export interface TableName {
  readonly database: string
  readonly table: string
  readonly tableId: string
}
