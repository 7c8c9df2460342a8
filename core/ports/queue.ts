/** JobQueue: at least once, unordered, delayable. Jobs are idempotent, so that any trigger is correct. */
export interface JobQueue {
  send(job: Job, delayMs?: number): Promise<void>
}

export type Job =
  /** Bring a table's log into its lake. `marks`: the sort keys of the due marks that this job answers. */
  | { readonly kind: 'tier'; readonly table: TableName; readonly marks: readonly string[] }
  /** Delete a table's orphaned objects. */
  | { readonly kind: 'collect'; readonly table: TableName; readonly marks: readonly string[] }
  /** Close the heads of a dropped table and remove what it left. */
  | { readonly kind: 'drop'; readonly table: TableName; readonly marks: readonly string[] }

/** A table as jobs name it: the id decides, the names only find its item. */
export interface TableName {
  readonly database: string
  readonly table: string
  readonly tableId: string
}
