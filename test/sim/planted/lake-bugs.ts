/** Planted bugs of the lake, of collection and of jobs. */
import type { PlantedBug } from './plant.ts'

const item = 'core/lake/item.ts'
const fence = `      condition: and(isOpen, equal('version', mine.version), equal('epoch', mine.epoch), {
        is: 'less',
        path: 'gc',
        value: label,
      }),`

export const lakeBugs: readonly PlantedBug[] = [
  {
    id: 'B1b',
    what: 'an ambiguous commit to the lake is treated as a failure, its files cleaned up',
    file: 'core/lake/append.ts',
    find: '  return commitLakeItem(world, tableId, base.lake, plan.commit, plan.label) // COMMIT POINT\n',
    replace: `  const update = (given: Parameters<typeof world.items.update>[0]) =>
    world.items.update(given).catch((error: unknown) => {
      throw Object.assign(error as object, { effect: 'none' })
    })
  const items = Object.assign(Object.create(world.items), { update })
  return commitLakeItem({ ...world, items }, tableId, base.lake, plan.commit, plan.label).catch(async (error) => {
    await world.objects.delete(plan.objects.map(({ key }) => key)).catch(() => undefined)
    throw error
  })
`,
    scenario: 'tier',
    seedsMax: 1_000,
  },
  {
    id: 'B5',
    what: 'the commit to the lake is not fenced',
    file: item,
    find: fence,
    replace: "      condition: and(isOpen, { is: 'less', path: 'gc', value: label }),",
    scenario: 'tier',
    seedsMax: 1_000,
  },
  {
    id: 'B6',
    what: 'the tier point is not read from the lake commit but from what this process was told',
    file: 'core/lake/target.ts',
    find: '    return { lake, placed: await readPoints(this.#world.objects, lake) }\n',
    replace: `    const memory = this.#world.clock as { told?: PlacedPoints }
    memory.told ??= await readPoints(this.#world.objects, lake)
    return { lake, placed: memory.told }
`,
    scenario: 'tier',
    seedsMax: 300,
  },
  {
    id: 'BO',
    what: 'a run that comes too soon after a failure drops its marks and leaves none',
    file: 'core/tier/back-off.ts',
    find: "  await putMark(world, { kind: 'tier', table: job.table, buckets: job.buckets, due })\n",
    replace: '',
    scenario: 'tier',
    seedsMax: 300,
  },
  {
    id: 'B10',
    what: 'a bucket without new rows stalls the others',
    file: 'core/tier/plan.ts',
    find: '    .filter(({ from, end }) => from < end)\n',
    replace: '    .filter(({ end }) => end > 0n)\n',
    scenario: 'tier',
    seedsMax: 300,
  },
  {
    id: 'L1',
    what: 'the tier point of one partition is taken for that of another',
    file: 'core/format/items/points.ts',
    find: 'points.get(partition)?.get(bucket)\n',
    replace: '(points.get(partition) ?? [...points.values()][0])?.get(bucket)\n',
    scenario: 'partitions',
    seedsMax: 100,
  },
  {
    id: 'L2',
    what: 'a partition that is dropped leaves its rows in the lake',
    file: 'core/log/drop.ts',
    find: "if (marked.lakeRows === 'go' && ",
    replace: "if (marked.lakeRows !== 'go' && ",
    scenario: 'partitions',
    seedsMax: 100,
  },
  {
    id: 'L3',
    what: 'a partition that is dropped takes others out of the lake',
    file: 'core/lake/file-judge.ts',
    find: 'levels.every(({ type, name, key }) => avroKey(type, tuple[name]) === key)',
    replace: 'levels.every(({ type, name, key }) => avroKey(type, tuple[name]) !== undefined || key)',
    scenario: 'partitions',
    seedsMax: 100,
  },
  {
    id: 'L4',
    what: 'a drop takes the lake over without fencing the worker that is at it',
    file: item,
    find: '        epoch: { value: seen.epoch + 1n },\n',
    replace: '        epoch: { value: evenIfHeld ? seen.epoch : seen.epoch + 1n },\n',
    scenario: 'partitions',
    seedsMax: 1_000,
  },
  {
    id: 'L5',
    what: 'a head that retention drops is closed wherever it is',
    file: 'core/log/drop.ts',
    find: "all: [isOpen, { is: 'equal', path: 'e', value: onlyAt ?? 0n }]",
    replace: 'all: [isOpen]',
    scenario: 'periods',
    seedsMax: 300,
  },
  {
    id: 'L6',
    what: 'the metadata forgets the columns of snapshots that it keeps',
    file: 'core/lake/iceberg/metadata.ts',
    find: "each['schema-id'] !== id && used.has(each['schema-id'])",
    replace: "each['schema-id'] !== id && used.size > 1_000",
    scenario: 'tier',
    seedsMax: 300,
  },
  {
    id: 'B20',
    what: 'a lease is trusted, because nobody said that it was lost',
    file: item,
    find: fence,
    replace:
      "      condition: mine.lease < now ? and(isOpen, equal('epoch', -1n)) : and(isOpen, { is: 'less', path: 'gc', value: label }),",
    scenario: 'tier',
    seedsMax: 1_000,
  },
  {
    id: 'B24',
    what: 'the mark reads the index before the head, and is slow',
    file: 'core/log/collect.ts',
    find: `  for (const entry of head.recent) candidates.delete(objectKey(table.tableId, entry))
  for (const entry of claim?.pending?.entries ?? []) candidates.delete(objectKey(table.tableId, entry))
`,
    replace: `  await unmarkIndex(world, table, at, head, candidates)
  await world.clock.sleep(500)
  const later = await readHead(world, table.tableId, at)
  for (const entry of later?.recent ?? []) candidates.delete(objectKey(table.tableId, entry))
  for (const entry of claim?.pending?.entries ?? []) candidates.delete(objectKey(table.tableId, entry))
  await world.clock.sleep(500)
}

async function unmarkIndex(world: World, table: Table, at: BucketId, head: Head, candidates: Set<string>): Promise<void> {
`,
    scenario: 'collect',
    seedsMax: 500,
  },
  {
    id: 'B29',
    what: 'claims need no lease: duplicate triggers fence a running worker for ever',
    file: item,
    find: '...(evenIfHeld ? [] : [isFree])',
    replace: '...(evenIfHeld ? [] : [])',
    scenario: 'tier',
    seedsMax: 300,
  },
  {
    id: 'AL1',
    what: 'columns that change wait in the lake for the next row',
    file: 'core/catalog/tables.ts',
    find: '  if (isLakeBehind(table, altered)) more.push(tierMark(world, altered))\n',
    replace: '  void isLakeBehind\n  void tierMark\n',
    scenario: 'tier',
    seedsMax: 900,
  },
  {
    id: 'AL2',
    what: 'a run that finds no rows leaves the lake with the columns that it has',
    file: 'core/lake/align.ts',
    find: "  const isBehind = base['current-schema-id'] < table.schema.schemaId\n",
    replace: '  const isBehind = false\n',
    scenario: 'tier',
    seedsMax: 300,
  },
]
