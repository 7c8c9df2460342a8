/** The counts of a snapshot's summary (spec, "Optional Snapshot Summary Fields"), from the totals of its parent. Pure. */
import { currentSnapshot, type TableMetadata } from './metadata.ts'

export interface FileCounts {
  readonly files: number
  readonly rows: bigint
  readonly bytes: bigint
  readonly partitions: number
}

type Summary = Readonly<Record<string, string>>

/** Of a table without a snapshot. */
export const noTotals: Summary = {
  'total-records': '0',
  'total-files-size': '0',
  'total-data-files': '0',
  'total-delete-files': '0',
  'total-position-deletes': '0',
  'total-equality-deletes': '0',
}

/** Of a lake of our own, which has no deletes; an engine's snapshot in it may leave some out. */
export const totalsIn = (metadata: TableMetadata | undefined): Summary => ({
  ...noTotals,
  ...(metadata && currentSnapshot(metadata).summary),
})

/** `before`: the summary of the parent, or what stands for it. */
export function appendSummary(before: Summary, added: FileCounts): Record<string, string> {
  return {
    operation: 'append',
    'added-data-files': String(added.files),
    'added-records': String(added.rows),
    'added-files-size': String(added.bytes),
    'changed-partition-count': String(added.partitions),
    ...totals(before, added, 1n),
  }
}

export function deleteSummary(before: Summary, deleted: FileCounts): Record<string, string> {
  return {
    operation: 'delete',
    'deleted-data-files': String(deleted.files),
    'deleted-records': String(deleted.rows),
    'removed-files-size': String(deleted.bytes),
    'changed-partition-count': String(deleted.partitions),
    ...totals(before, deleted, -1n),
  }
}

/** The same rows in other files. */
export function replaceSummary(before: Summary, added: FileCounts, deleted: FileCounts): Record<string, string> {
  return {
    operation: 'replace',
    'added-data-files': String(added.files),
    'deleted-data-files': String(deleted.files),
    'added-records': String(added.rows),
    'deleted-records': String(deleted.rows),
    'added-files-size': String(added.bytes),
    'removed-files-size': String(deleted.bytes),
    'changed-partition-count': String(added.partitions),
    ...totals(
      before,
      { files: added.files - deleted.files, rows: added.rows - deleted.rows, bytes: added.bytes - deleted.bytes },
      1n,
    ),
  }
}

/** Some engines refuse a table without. Those that the parent does not say are left out: one that is wrong is worse. */
function totals(before: Summary, { files, rows, bytes }: Omit<FileCounts, 'partitions'>, sign: 1n | -1n): Summary {
  const changes = { 'total-records': rows, 'total-files-size': bytes, 'total-data-files': BigInt(files) }
  return Object.fromEntries(
    Object.entries({ ...noChanges, ...changes }).flatMap(([name, change]) => {
      const text = before[name] ?? ''
      const after = /^[0-9]{1,18}$/.test(text) ? BigInt(text) + sign * change : -1n
      return after < 0n ? [] : [[name, String(after)]]
    }),
  )
}

const noChanges: Readonly<Record<string, bigint>> = Object.fromEntries(Object.keys(noTotals).map((name) => [name, 0n]))
