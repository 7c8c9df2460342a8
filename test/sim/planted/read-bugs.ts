/** Bugs of readers, as one place of the source each. */
import type { PlantedBug } from './plant.ts'

const page = 'core/log/read/page.ts'

export const readBugs: readonly PlantedBug[] = [
  {
    id: 'R1',
    what: 'statistics lie about nulls',
    file: 'core/log/read/conform.ts',
    find: '    nulls,\n    mayHaveNan,\n',
    replace: '    nulls: 0 * nulls,\n    mayHaveNan,\n',
    scenario: 'append',
    seedsMax: 300,
  },
  {
    id: 'R2',
    what: 'a reader is told an end that its process remembers',
    file: 'core/log/read/walk.ts',
    find: '  const head = await readHead(reading.world, table.tableId, idOf(at))\n',
    replace: `  const remembered = ((reading.ranges as unknown as { heads?: Map<string, Head | undefined> }).heads ??= new Map())
  const key = \`\${table.tableId}#\${at.partition.id}#\${at.bucket}\`
  const head = remembered.has(key) ? remembered.get(key) : await readHead(reading.world, table.tableId, idOf(at))
  remembered.set(key, head)
`,
    scenario: 'append',
    seedsMax: 300,
  },
  {
    id: 'R3',
    what: 'a cursor is past rows that its reader did not take',
    file: 'core/log/read/walk.ts',
    find: '      positions[step.bucket] = offsetAt(step.rows, left)\n',
    replace: '      positions[step.bucket] = step.next\n',
    scenario: 'append',
    seedsMax: 300,
  },
  {
    id: 'R4',
    what: 'a cursor skips what a new partition had before it joined',
    file: page,
    find: "  return known.get(bucketKey(idOf(at))) ?? 'earliest'\n",
    replace: "  return known.get(bucketKey(idOf(at))) ?? 'latest'\n",
    scenario: 'partitions',
    seedsMax: 300,
  },
  {
    id: 'R5',
    what: 'a cursor forgets partitions that another process does not know yet, and reads them again',
    file: page,
    find: "  return offsets.every(({ partition }) => ids.has(partition)) ? kept : partitions.list(table, 'fresh')\n",
    replace: '  return offsets.length >= 0 && ids.size >= 0 ? kept : []\n',
    scenario: 'partitions',
    seedsMax: 300,
  },
  {
    id: 'R6',
    what: 'a partition that is made again begins where the one before began',
    file: 'core/catalog/partitions.ts',
    find: '  const reached = end > floor ? end : floor\n',
    replace: '  const reached = offsetOf(0n * end + floor)\n',
    scenario: 'partitions',
    seedsMax: 300,
  },
  {
    id: 'R7',
    what: 'columns of rows of before are found by their names',
    file: 'core/log/read/conform.ts',
    find: '  const index = schema.columns.findIndex(({ id }) => id === wanted.id)\n',
    replace: '  const index = schema.columns.findIndex(({ name }) => name === wanted.name)\n',
    scenario: 'alter',
    seedsMax: 300,
  },
]
