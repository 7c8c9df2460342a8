/** What the demo has to show, judged: equality with the source, time travel, a new column, partitions. */
import type { Comparison } from './sums.ts'
import type { LakeFacts } from './verify.ts'

/** What is not so, in words; empty: all of it is. */
export function unproven(
  { snapshots, months, oldestRows, oldestColumns, columns }: LakeFacts,
  { equal }: Pick<Comparison, 'equal'>,
): readonly string[] {
  const [oldest] = snapshots
  const claims: readonly (readonly [boolean, string])[] = [
    [equal, 'the lake differs from the source file'],
    [
      oldest?.rows === oldestRows && oldestRows > 0,
      `time travel read ${oldestRows} rows at the oldest snapshot, which says that it has ${oldest?.rows ?? 'none'}`,
    ],
    // A demo that goes on hours later may find the snapshots of before the column expired.
    [
      oldestColumns < columns || (oldest !== undefined && oldest.sequence > 1),
      `the oldest snapshot has ${oldestColumns} columns of ${columns}: the new one is not new`,
    ],
    [months.length > 1, `the lake has ${months.length} months, and the table is partitioned by them`],
  ]
  return claims.flatMap(([holds, otherwise]) => (holds ? [] : [otherwise]))
}
