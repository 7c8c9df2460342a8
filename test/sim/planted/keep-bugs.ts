/** Planted bugs of retention and compaction. */
import type { PlantedBug } from './plant.ts'

export const keepBugs: readonly PlantedBug[] = [
  {
    id: 'F1',
    what: 'a reader whose place has left the log is refused, though the lake has its rows',
    file: 'core/log/read/walk.ts',
    find: '  return (await lake.filesAt(table, at, from)).length > 0\n',
    replace: '  return (await lake.filesAt(table, at, from)).length < 0\n',
    scenario: 'retain',
    seedsMax: 300,
  },
  {
    id: 'F2',
    what: 'a reader goes from a file of the lake to the start of the log, past the files between',
    file: 'core/log/read/lake-rows.ts',
    find: '        if (rowsLeft <= 0 || bytesLeft <= 0) return true\n      }\n',
    replace: `        if (rowsLeft <= 0 || bytesLeft <= 0) return true
      }
      steps.push({ bucket: range.index, next: range.to })
`,
    scenario: 'retain',
    seedsMax: 300,
  },
  {
    id: 'K1',
    what: 'retention goes past the tier point',
    file: 'core/log/keep/retain.ts',
    find: '(pointAt(points, idOf(at))?.offset ?? 0n) >= end',
    replace: '(pointAt(points, idOf(at)) !== undefined || end > 0n)',
    scenario: 'retain',
    seedsMax: 300,
  },
  {
    id: 'K2',
    what: 'retention deletes index items before the start is raised',
    file: 'core/log/keep/retain.ts',
    find: '  const raised = start > head.start ?',
    replace: `  if (start > head.start) await deleteBelow(world, table, idOf(at), start)
  const raised = start > head.start ?`,
    scenario: 'retain',
    seedsMax: 300,
  },
  {
    id: 'K1b',
    what: 'rows that the lake has go at half their log.ttl-after-tier',
    file: 'core/log/keep/pace.ts',
    find: 'logTtlAfterTierMs ?? logTtlMs)',
    replace: '(logTtlAfterTierMs ?? 2 * logTtlMs) / 2)',
    scenario: 'retain',
    seedsMax: 300,
  },
  {
    id: 'B21',
    what: 'compaction deletes an index item and makes it anew',
    file: 'core/log/keep/compact.ts',
    find: "  await world.items.update({ key, set: { r: { value: after } }, condition: { is: 'equal', path: 'r', value: before } })\n",
    replace: `  await world.items.delete(key)
  await world.items.create({ key, attributes: { ...found.attributes, r: after } })
`,
    scenario: 'compact',
    seedsMax: 300,
  },
  {
    id: 'B21b',
    what: 'an index item loses entries when it is repointed',
    file: 'core/log/keep/compact.ts',
    find: '    return { start, end: offset, entry }\n',
    replace: '    return { start, end: offset, entry: pending.entries.find(({ count }) => count === entry.count) ?? entry }\n',
    scenario: 'compact',
    seedsMax: 300,
  },
  {
    id: 'K3',
    what: 'compaction deletes the old objects before every item is repointed',
    file: 'core/log/keep/compact.ts',
    find: '  moved.items += items.length\n',
    replace: `  const old = items.flatMap(({ entries }) => entries)
  await world.objects.delete(old.map((entry) => \`t/\${table.tableId}/\${entry.directory.toString(16).padStart(2, '0')}/\${entry.label}-\${entry.random}\${entry.inline ? 'i' : ''}\`))
  moved.items += items.length
`,
    scenario: 'compact',
    seedsMax: 300,
  },
  {
    id: 'K5',
    what: 'collect does not mark what is pending',
    file: 'core/log/collect.ts',
    find: '  for (const entry of claim?.pending?.entries ?? []) candidates.delete(objectKey(table.tableId, entry))\n',
    replace: '',
    scenario: 'compact',
    seedsMax: 1_000,
  },
  {
    id: 'K7',
    what: 'an entry that was joined with others is taken for absent',
    file: 'core/log/append/resolve.ts',
    find: "      if (index.entries.length !== limits.spillEntries) notThere = 'hidden'\n",
    replace: '',
    scenario: 'compact',
    seedsMax: 3_000,
  },
  {
    id: 'A1',
    what: 'the marks of a table with auto partitions go before its next one is put',
    file: 'core/log/keep/auto-partition.ts',
    find: '    const due = isWhole',
    replace: `    await dropMarks(world, tableId, job.marks)
    const due = isWhole`,
    scenario: 'periods',
    seedsMax: 1_000,
  },
  {
    id: 'A2',
    what: 'a partition is dropped a period too early',
    file: 'core/model/auto-partition.ts',
    find: 'period < periodAt(periods, now) - periods.numRetention',
    replace: 'period <= periodAt(periods, now) - periods.numRetention',
    scenario: 'periods',
    seedsMax: 300,
  },
  {
    id: 'A3',
    what: 'auto partitions are turned on without a mark',
    file: 'core/catalog/tables.ts',
    find: '  if (isTurned && periodsOf(altered) !== undefined) ',
    replace: '  if (isTurned && periodsOf(altered) === undefined) ',
    scenario: 'periods',
    seedsMax: 300,
  },
]
