/** Planted bugs of commits that engines make, and of ours over them. */
import type { PlantedBug } from './plant.ts'

const commit = 'core/lake/commit.ts'
const item = 'core/lake/item.ts'
const target = 'core/lake/target.ts'
const updates = 'core/lake/iceberg/updates.ts'
const verify = 'core/lake/verify.ts'

export const engineBugs: readonly PlantedBug[] = [
  {
    id: 'E1',
    what: 'a tierer that an engine has overtaken commits again without reading what the engine made of the lake',
    file: target,
    find: 'open: isOvertaken ? await this.#rebased(lake) : this.#over(base)',
    replace: 'open: this.#over({ ...base, lake })',
    scenario: 'engine',
    seedsMax: 300,
  },
  {
    id: 'E2',
    what: 'an engine’s properties take the place of the points',
    file: updates,
    find: 'properties: { ...metadata.properties, ...update.updates }',
    replace: 'properties: { ...update.updates }',
    scenario: 'engine',
    seedsMax: 100,
  },
  {
    id: 'E3',
    what: 'the rows of an engine’s snapshot are believed, not counted',
    file: verify,
    find: '  if (rows !== rowsOf(before.manifests))\n',
    replace: '  if (rows < 0n)\n',
    scenario: 'engine',
    seedsMax: 100,
  },
  {
    id: 'E4',
    what: 'an engine’s commit does not ask whether the lake is as it was read',
    file: item,
    find: "      condition: and(isOpen, equal('version', seen.version), { is: 'less', path: 'gc', value: label }),",
    replace: "      condition: and(isOpen, { is: 'less', path: 'gc', value: label }),",
    scenario: 'engine',
    seedsMax: 300,
  },
  {
    id: 'E5',
    what: 'an engine is told that nothing was committed where an answer was lost, and deletes what it wrote',
    file: item,
    find: '    (lake) => lake.committed?.metadata.key === commit.metadata.key,\n',
    replace: '    () => false,\n',
    scenario: 'engine',
    seedsMax: 1_000,
  },
  {
    id: 'E6',
    what: 'the same, where others have built on it since',
    file: commit,
    find: '  if (now.version <= seen.version + 1n) return false\n',
    replace: '  if (now.version > 0n) return false\n',
    scenario: 'engine',
    seedsMax: 1_500,
  },
  {
    id: 'E7',
    what: 'a tierer goes on from its own commit, which an engine has built on while its answer was lost',
    file: target,
    find: '    if (lake.committed?.metadata.key !== plan.commit.metadata.key) return',
    replace: '    if (lake.committed === undefined) return',
    scenario: 'engine',
    seedsMax: 1_500,
  },
]
