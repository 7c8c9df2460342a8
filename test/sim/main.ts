/**
 * npm run sim -- [--seeds N] [--seed S] [--scenario X|all-scenarios] [--seconds T] [--from-commit] [--kept] [--trace]
 *                [--planted B5|all] [--small-world]
 * Runs seeds and prints progress; on a failure prints seed, scenario, the first broken promise, the trace around it and
 * the command that replays it, and exits with 1. A planted bug is put into the source as it is loaded, so it is set up
 * before any module of the product is imported.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { plantedBugs } from './planted/bugs.ts'
import { huntAll } from './planted/hunt.ts'
import { plant } from './planted/plant.ts'
import { type ScenarioName, scenarioNames } from './swarm.ts'

const { values: options } = parseArgs({
  options: {
    seeds: { type: 'string' },
    seed: { type: 'string' },
    scenario: { type: 'string', default: 'every' },
    seconds: { type: 'string' },
    'from-commit': { type: 'boolean', default: false },
    kept: { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
    planted: { type: 'string' },
    'small-world': { type: 'boolean', default: false },
    quiet: { type: 'boolean', default: false },
  },
})

/** Errors are ordinary here, and their stacks cost a tenth of a run; `--trace` shows them. */
if (!options.trace) Error.stackTraceLimit = 0

interface Target {
  readonly scenario: ScenarioName
  readonly seed: number
}

if (options.planted === 'all') process.exitCode = await huntAll(plantedBugs)
else {
  if (options.planted !== undefined) plant(plantedBugs, options.planted)
  if (options['small-world']) process.exitCode = await smallWorld()
  else process.exitCode = await main()
}

async function main(): Promise<number> {
  const { runSeed } = await import('./run.ts')
  const began = performance.now()
  const secondsMax = options.seconds === undefined ? Number.POSITIVE_INFINITY : Number(options.seconds)
  let runs = 0
  let steps = 0
  let rows = 0
  for (const { scenario, seed } of targets()) {
    if (performance.now() - began > secondsMax * 1_000) break
    const result = await runSeed(scenario, seed)
    runs++
    steps += result.steps
    rows += result.rows
    if (options.trace) print(`${result.trace.lines.join('\n')}\n`)
    if (options.trace) print(`${JSON.stringify(result.swarm, plain)}\ndigest ${result.trace.digest()}\n`)
    if (result.broken.length > 0) {
      fail(result)
      return 1
    }
    if (!options.quiet && (runs & 127) === 0 && process.stdout.isTTY) print(`\r${progress()}`)
  }
  print(`${progress()}\n`)
  return 0

  function progress(): string {
    const seconds = (performance.now() - began) / 1_000
    return `${runs} runs, ${steps} steps, ${rows} rows, ${seconds.toFixed(1)} s, ${Math.round(runs / seconds)} runs/s: every promise kept`
  }
}

function fail(result: Awaited<ReturnType<typeof import('./run.ts').runSeed>>): void {
  const [first] = result.broken
  print(`seed ${result.seed} of scenario ${result.scenario} breaks ${first?.promise} (${first?.check})\n`)
  for (const { promise, check, message } of result.broken.slice(0, 5)) print(`  ${promise} ${check}: ${message}\n`)
  if (options.quiet) return
  print(`after ${result.steps} steps, ${result.virtualMs} virtual ms. The trace around it:\n`)
  for (const line of result.trace.window(40, 5)) print(`  ${line}\n`)
  const bug = options.planted === undefined ? '' : ` --planted ${options.planted}`
  print(`replay: npm run sim -- --scenario ${result.scenario} --seed ${result.seed}${bug} --trace\n`)
}

function* targets(): Iterable<Target> {
  if (options.kept) {
    yield* keptSeeds()
    if (options.seeds === undefined && options.seconds === undefined && !options['from-commit']) return
  }
  const names = options.scenario === 'every' ? scenarioNames : [scenarioNamed(options.scenario)]
  if (options.seed !== undefined) {
    for (const scenario of names) yield { scenario, seed: Number(options.seed) }
    return
  }
  const first = options['from-commit'] ? seedOfCommit() : 1
  const count =
    options.seeds === undefined ? (options.seconds === undefined ? 100 : Number.POSITIVE_INFINITY) : Number(options.seeds)
  for (let i = 0; i < count; i++) for (const scenario of names) yield { scenario, seed: (first + i) >>> 0 }
}

function scenarioNamed(name: string): ScenarioName {
  const found = scenarioNames.find((each) => each === name)
  if (found === undefined) throw new Error(`no scenario ${name}: use one of ${scenarioNames.join(', ')}, every`)
  return found
}

/** Seeds that once failed. */
function* keptSeeds(): Iterable<Target> {
  const folder = new URL('./seeds/', import.meta.url)
  for (const file of readdirSync(folder).sort()) {
    if (!file.endsWith('.json')) continue
    const { scenario, seed } = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as { scenario: string; seed: number }
    yield { scenario: scenarioNamed(scenario), seed }
  }
}

function seedOfCommit(): number {
  const commit = execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim()
  const seed = Number.parseInt(commit.slice(0, 8), 16)
  print(`seeds from commit ${commit}: ${seed} on\n`)
  return seed
}

async function smallWorld(): Promise<number> {
  const { exploreSmallWorld } = await import('./small-world.ts')
  return exploreSmallWorld({ print })
}

function plain(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}` : value
}

function print(text: string): void {
  process.stdout.write(text)
}
