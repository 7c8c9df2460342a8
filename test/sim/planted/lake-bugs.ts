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
    file: 'core/tier/run.ts',
    find: '    return { heads: found, points: await readPoints(world.objects, lake) }\n',
    replace: `    const told = (log as { told?: Points }).told ?? (await readPoints(world.objects, lake))
    ;(log as { told?: Points }).told = told
    return { heads: found, points: told }
`,
    scenario: 'tier',
    seedsMax: 300,
  },
  {
    id: 'B10',
    what: 'a bucket without new rows stalls the others',
    file: 'core/tier/plan.ts',
    find: 'ranges.filter(({ from, end }) => from < end).sort(',
    replace: 'ranges.filter(({ end }) => end > 0n).sort(',
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
    find: `equal('version', seen.version), {
        is: 'less',
        path: 'lease',
        value: BigInt(now),
      }),`,
    replace: "equal('version', seen.version)),",
    scenario: 'tier',
    seedsMax: 300,
  },
]
