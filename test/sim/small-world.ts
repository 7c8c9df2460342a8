/**
 * The exhaustive small world: at most two producers and three calls, every placement of at most two faults and crash
 * points, all arrival orders of calls that do not commute: about 260,000 runs. Futures of a state are explored once.
 */
import { Choices } from './small/choices.ts'
import { States } from './small/states.ts'
import { smallScenarios } from './small/stories.ts'
import { prepare, SmallWorld } from './small/world.ts'

const faultsMax = 2

export async function exploreSmallWorld(options: {
  readonly print: (text: string) => void
  readonly runsMax?: number
}): Promise<number> {
  const began = performance.now()
  let total = 0
  for (const scenario of smallScenarios) {
    const prepared = await prepare(scenario.prelude)
    const choices = new Choices()
    const states = new States()
    let runs = 0
    let cut = 0
    do {
      const world = new SmallWorld(choices, prepared, states)
      world.network.isTableQuiet = scenario.changesTable !== true
      const { broken, trace, isKnown } = await world.run(scenario.story, faultsMax)
      runs++
      if (isKnown) cut++
      const [first] = broken
      if (first === undefined) continue
      options.print(
        `small world "${scenario.name}" breaks ${first.promise} (${first.check}): ${first.message}\nchoices ${choices.path.join(' ')}\n`,
      )
      for (const line of trace.lines) options.print(`  ${line}\n`)
      return 1
    } while (runs < (options.runsMax ?? Number.POSITIVE_INFINITY) && choices.next())
    total += runs
    options.print(
      `${String(runs).padStart(8)} runs (${cut} cut, ${states.size} states) with at most ${faultsMax} faults: ${scenario.name}\n`,
    )
  }
  const seconds = (performance.now() - began) / 1_000
  options.print(`${total} runs, ${seconds.toFixed(1)} s: every promise kept\n`)
  return 0
}
