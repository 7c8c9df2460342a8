/**
 * The simulation's own tests: the meta test first (one seed in two processes gives the same trace), the case suites over
 * the simulated stores, a few seeds of every scenario, a slice of the small world, one planted bug.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { itemStoreCases } from '../../core/ports/items.case.ts'
import { objectStoreCases } from '../../core/ports/objects.case.ts'
import { noFaults, SeededFates } from './fates.ts'
import { ItemsState, SimulatedItems } from './items.ts'
import { SimulatedNetwork } from './network.ts'
import { ObjectsState, SimulatedObjects } from './objects.ts'
import { plantedBugs } from './planted/bugs.ts'
import { Process } from './process.ts'
import { Seeded } from './random.ts'
import { runSeed } from './run.ts'
import { SeededScheduler } from './scheduler.ts'
import { exploreSmallWorld } from './small-world.ts'
import { startMs } from './stage.ts'
import { scenarioNames } from './swarm.ts'
import { Trace } from './trace.ts'

const main = fileURLToPath(new URL('./main.ts', import.meta.url))

test('one seed gives the same trace in two processes', { timeout: 60_000 }, async () => {
  const digest = (await runSeed('all', 11)).trace.digest()
  const text = execFileSync(process.execPath, [main, '--scenario', 'all', '--seed', '11', '--trace'], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  expect(/^digest ([0-9a-f]{64})$/m.exec(text)?.[1]).toBe(digest)
})

test('another seed gives another trace', async () => {
  expect((await runSeed('append', 1)).trace.digest()).not.toBe((await runSeed('append', 2)).trace.digest())
})

describe.each(scenarioNames)('scenario %s', (scenario) => {
  test.each([1, 2, 3])('keeps every promise with seed %i', { timeout: 60_000 }, async (seed) => {
    expect((await runSeed(scenario, seed)).broken).toEqual([])
  })
})

test('the first runs of every story of the small world keep every promise', { timeout: 60_000 }, async () => {
  let said = ''
  const print = (text: string): void => {
    said += text
  }
  expect(await exploreSmallWorld({ runsMax: 40, print }), said).toBe(0)
})

test('a planted bug is found, and a place that has moved ends the run', { timeout: 60_000 }, () => {
  const hunted = spawnSync(process.execPath, [main, '--planted', 'B8', '--scenario', 'append', '--seeds', '300', '--quiet'], {
    encoding: 'utf8',
  })
  expect(hunted.status).toBe(1)
  expect(hunted.stdout).toMatch(/^seed \d+ of scenario append breaks/)
})

test.each(plantedBugs.map((bug) => [bug.id, bug] as const))('the place of planted bug %s is where it was', (_, bug) => {
  const source = readFileSync(new URL(`../../${bug.file}`, import.meta.url), 'utf8')
  expect(source.split(bug.find)).toHaveLength(2)
  expect(bug.replace).not.toBe(bug.find)
})

/** Real time drives the virtual clock, so that a case may simply await. */
function simulated(): { readonly network: SimulatedNetwork; readonly process: Process; readonly close: () => Promise<void> } {
  const trace = new Trace(startMs)
  const scheduler = new SeededScheduler(new Seeded(1), trace, startMs)
  const network = new SimulatedNetwork(
    scheduler,
    new SeededFates(new Seeded(2), noFaults, { freezeMsMax: 1, faultsMax: 1 }),
    trace,
  )
  let isClosed = false
  const limits = { stepsMax: Number.POSITIVE_INFINITY, untilMs: Number.POSITIVE_INFINITY }
  const driven = (async () => {
    while (!isClosed) {
      await scheduler.run(() => isClosed, limits)
      await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  const close = (): Promise<void> => {
    isClosed = true
    return driven
  }
  return { network, process: new Process('case', scheduler, 0), close }
}

itemStoreCases('simulated items', async () => {
  const { network, process, close } = simulated()
  return { items: new SimulatedItems(process, network, new ItemsState(new Seeded(3))), close }
})

objectStoreCases('simulated objects', async () => {
  const { network, process, close } = simulated()
  return { objects: new SimulatedObjects(process, network, new ObjectsState(new Seeded(3), () => startMs)), close }
})
