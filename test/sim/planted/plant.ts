/**
 * Planting a bug: one place of one source file is replaced as the module is loaded. The product has no switch for it.
 * A place that is no longer there, or there twice, ends the run: the bug has to be planted anew.
 */
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import type { ScenarioName } from '../swarm.ts'

export interface PlantedBug {
  /** As in promises.md, with a letter where one bug is planted in several ways. */
  readonly id: string
  readonly what: string
  /** From the root. */
  readonly file: string
  readonly find: string
  readonly replace: string
  readonly scenario: ScenarioName
  /** Found within so many seeds, from 1. */
  readonly seedsMax: number
}

export function plant(bugs: readonly PlantedBug[], id: string): void {
  const bug = bugs.find((each) => each.id === id)
  if (bug === undefined) throw new Error(`no planted bug ${id}: ${bugs.map((each) => each.id).join(' ')}`)
  const url = new URL(`../../../${bug.file}`, import.meta.url)
  const found = readFileSync(url, 'utf8').split(bug.find).length - 1
  if (found !== 1) throw new Error(`planted bug ${id} no longer applies: its place is ${found} times in ${bug.file}`)
  registerHooks({
    load(loading, context, next) {
      const loaded = next(loading, context)
      if (loading !== url.href) return loaded
      const source = typeof loaded.source === 'string' ? loaded.source : Buffer.from(loaded.source as Uint8Array).toString('utf8')
      return { ...loaded, source: source.replace(bug.find, () => bug.replace) }
    },
  })
}
