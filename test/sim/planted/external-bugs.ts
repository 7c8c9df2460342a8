/** Planted bugs of lakes in external catalogs. */
import type { PlantedBug } from './plant.ts'

const target = 'core/lake/external/target.ts'

export const externalBugs: readonly PlantedBug[] = [
  {
    id: 'B1c',
    what: 'an ambiguous commit to an external catalog is treated as a failure, its files cleaned up',
    file: target,
    find: '      const committed = await commitExternal(this.#world, this.#place, base, plan) // COMMIT POINT\n',
    replace: `      const { catalog } = this.#place
      const commit: typeof catalog.commit = (name, change) =>
        catalog.commit(name, change).catch((error: unknown) => {
          throw Object.assign(error as object, { effect: 'none' })
        })
      const place = { ...this.#place, catalog: Object.assign(Object.create(catalog), { commit }) }
      const committed = await commitExternal(this.#world, place, base, plan).catch(async (error: unknown) => {
        await objects.delete(plan.objects.map(({ key }) => key)).catch(() => undefined)
        throw error
      })
`,
    scenario: 'external',
    seedsMax: 300,
  },
  {
    id: 'X1',
    what: 'the points are of another snapshot than the fence: those that the lake item remembers',
    file: target,
    find: '    const placed = await this.#points(external, mine)\n    await this.#stillMine(mine)\n',
    replace: '    const placed = await readPoints(this.#world.objects, mine)\n    await this.#stillMine(mine)\n',
    scenario: 'external',
    seedsMax: 1_000,
  },
  {
    id: 'X2',
    what: 'the base is read again without its points',
    file: target,
    find: '      const placed = await this.#points(committed.external, mine)\n',
    replace: '      const { placed } = base\n',
    scenario: 'external',
    seedsMax: 1_000,
  },
  {
    id: 'X3',
    what: 'a superseded worker reads the table that its successor has committed to, and goes on from there',
    file: target,
    find: '    if (lake?.open === true && lake.epoch === epoch) return\n',
    replace: '    if (lake?.open === true && lake.epoch >= epoch) return\n',
    scenario: 'external',
    seedsMax: 300,
  },
  {
    id: 'X4',
    what: 'a drop that finds nothing to take out of an external table commits nothing, and fences nobody',
    file: 'core/lake/external/drop-partition.ts',
    find: '  if (taken.counts.files === 0 && !hadRows) return undefined\n',
    replace: '  if (taken.counts.files === 0) return undefined\n',
    scenario: 'partitions',
    seedsMax: 1_000,
  },
  {
    id: 'X5',
    what: 'a drop in an external table ends when its commit was refused',
    file: target,
    find: '      const plan = await planOf(base)\n      if (plan === undefined) return undefined\n',
    replace: '      const plan = await planOf(base)\n      if (plan === undefined || rebase > 0) return undefined\n',
    scenario: 'partitions',
    seedsMax: 1_000,
  },
  {
    id: 'X6',
    what: 'manifests of the snapshot before a rebase are merged into the commit over the next',
    file: target,
    find: 'await planMerge(objects, this.#place, this.#table.tableId, now)',
    replace: 'await planMerge(objects, this.#place, this.#table.tableId, base)',
    scenario: 'external',
    seedsMax: 1_000,
  },
  {
    id: 'X7',
    what: 'entries are lost when manifests of an external table are merged',
    file: 'core/lake/external/merge.ts',
    find: 'liveEntries(found, manifest, key)',
    replace: 'liveEntries(found, manifest, key).slice(0, 1)',
    scenario: 'external',
    seedsMax: 300,
  },
]
