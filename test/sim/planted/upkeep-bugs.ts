/** Planted bugs of lakes that keep themselves in order. */
import type { PlantedBug } from './plant.ts'

const collect = 'core/lake/upkeep/collect.ts'
const reach = 'core/lake/upkeep/reach.ts'

export const upkeepBugs: readonly PlantedBug[] = [
  {
    id: 'B4b',
    what: 'what a stalled tierer staged is collected, and its commit is not refused',
    file: 'core/lake/item.ts',
    find: `      condition: and(isOpen, equal('version', mine.version), equal('epoch', mine.epoch), {
        is: 'less',
        path: 'gc',
        value: label,
      }),`,
    replace: "      condition: and(isOpen, equal('version', mine.version), equal('epoch', mine.epoch)),",
    scenario: 'upkeep',
    seedsMax: 300,
  },
  {
    id: 'U1',
    what: 'objects of a lake are deleted before its item refuses them',
    file: collect,
    find: '  const raised = await raiseLake(world, tableId, greatestLabel(candidates))\n',
    replace: `  const raised = await readLakeItem(world.items, tableId)
  void raiseLake
`,
    scenario: 'upkeep',
    seedsMax: 500,
  },
  {
    id: 'U2',
    what: 'only what the current snapshot refers to is kept',
    file: reach,
    find: '  await mapAtOnce(metadata.snapshots, readsAtOnce, async (snapshot) => {\n',
    replace: '  await mapAtOnce(metadata.snapshots.slice(-1), readsAtOnce, async (snapshot) => {\n',
    scenario: 'upkeep',
    seedsMax: 300,
  },
  {
    id: 'U3',
    what: 'a commit between the look and the raise is not looked at',
    file: collect,
    find: '  if (raised?.version !== seen.version && (await unmarkCurrent(world, tableId, candidates, raised)) === undefined) return 0\n',
    replace: '  if (raised === undefined) return 0\n',
    scenario: 'upkeep',
    seedsMax: 3_000,
  },
  {
    id: 'U4',
    what: 'a snapshot expires by its own age, not by the time since it was superseded',
    file: 'core/lake/upkeep/expire.ts',
    find: "    const wasCurrent = child === undefined || child['timestamp-ms'] >= now - ageMs\n",
    replace: "    const wasCurrent = child === undefined || snapshot['timestamp-ms'] >= now - ageMs\n",
    scenario: 'upkeep',
    seedsMax: 1_000,
  },
  {
    id: 'U5',
    what: 'entries are lost when manifests are merged',
    file: 'core/lake/upkeep/merge.ts',
    find: '  const found = decodeEntries(bytes, spec) ?? (schema && decodeForeignEntries(bytes, spec, schema))\n',
    replace:
      '  const found = decodeEntries(bytes, spec)?.filter(({ sequence_number }, at) => at === 0 || sequence_number === null)\n',
    scenario: 'tier',
    seedsMax: 300,
  },
  {
    id: 'U6',
    what: 'files that were joined stay listed beside the one that has their rows',
    file: 'core/lake/upkeep/replace.ts',
    find: 'sources.has(entry) ?',
    replace: 'sources.has(entry) && joined.length === 0 ?',
    scenario: 'tier',
    seedsMax: 500,
  },
  {
    id: 'U7',
    what: 'rows that are joined get other ids than they had',
    file: 'core/tier/compact-lake.ts',
    find: '    lineage: from.map(lineageOf),\n',
    replace: '    lineage: from.map(lineageOf).map(() => undefined),\n',
    scenario: 'tier',
    seedsMax: 300,
  },
  {
    id: 'U8',
    what: 'files of merged manifests do not say which ids they had inherited',
    file: 'core/lake/upkeep/merge.ts',
    find: 'inheritRowIds(live, manifest).map(',
    replace: '[...(inheritRowIds([], manifest) as typeof live), ...live].map(',
    scenario: 'tier',
    seedsMax: 300,
  },
  {
    id: 'B27',
    what: 'compaction joins files that a commit since its look has taken away or joined',
    file: 'core/tier/rounds.ts',
    find: '        planCompaction(context, this.#seen.table, base, this.#with.options.upkeep).catch(() => undefined),\n',
    replace: `        ((log: { last?: typeof base }) => {
          const stale = { ...base, manifests: (log.last ?? base).manifests }
          log.last = base
          return planCompaction(context, this.#seen.table, stale, this.#with.options.upkeep).catch(() => undefined)
        })(this.#with.log as object),
`,
    scenario: 'tier',
    seedsMax: 500,
  },
]
