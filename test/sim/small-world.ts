/**
 * The exhaustive small world: at most two producers and three calls, every placement of at most two faults and crash
 * points, all arrival orders of calls that do not commute. CI places the number of faults that each story names, which is
 * about 25,000 runs; `--whole` places two in every story and takes hours.
 */
import { Choices } from './small/choices.ts'
import { smallScenarios } from './small/stories.ts'
import { prepare, SmallWorld } from './small/world.ts'

export async function exploreSmallWorld(options: {
  readonly whole: boolean
  readonly print: (text: string) => void
  readonly runsMax?: number
}): Promise<number> {
  const began = performance.now()
  let total = 0
  for (const scenario of smallScenarios) {
    const faults = options.whole ? 2 : scenario.faults
    const prepared = await prepare(scenario.prelude)
    const choices = new Choices()
    let runs = 0
    do {
      const world = new SmallWorld(choices, prepared)
      world.network.isTableQuiet = scenario.changesTable !== true
      const { broken, trace } = await world.run(scenario.story, faults)
      runs++
      const [first] = broken
      if (first === undefined) continue
      options.print(
        `small world "${scenario.name}" breaks ${first.promise} (${first.check}): ${first.message}\nchoices ${choices.path.join(' ')}\n`,
      )
      for (const line of trace.lines) options.print(`  ${line}\n`)
      return 1
    } while (runs < (options.runsMax ?? Number.POSITIVE_INFINITY) && choices.next())
    total += runs
    options.print(`${String(runs).padStart(8)} runs with at most ${faults} faults: ${scenario.name}\n`)
  }
  const seconds = (performance.now() - began) / 1_000
  options.print(`${total} runs, ${seconds.toFixed(1)} s: every promise kept\n`)
  return 0
}
