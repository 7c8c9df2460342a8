/**
 * How every bench measures: the cases take turns, round after round, so that a busy minute of the machine hits all of
 * them; a figure is the median over the rounds with its lowest and highest; a ratio is taken within each round against
 * the floor measured in that very round, and its median is shown. Servers and load run in processes of their own and
 * share the machine's cores, which the output states.
 */
import { availableParallelism, totalmem } from 'node:os'

export interface Case {
  readonly name: string
  /** One measurement, in the unit of the bench; further figures by name. */
  readonly run: () => Promise<Measured>
  /** The name of the case that this one is held against. */
  readonly floor?: string
  /** The ratio and the value that are asked for, and limits on named figures. */
  readonly aim?: {
    readonly ratio?: number
    readonly least?: number
    readonly valueMost?: number
    readonly most?: Readonly<Record<string, number>>
  }
}

export interface Measured {
  readonly value: number
  readonly figures?: Readonly<Record<string, number>>
}

export interface Spread {
  readonly median: number
  readonly low: number
  readonly high: number
}

export interface Line {
  readonly name: string
  readonly value: Spread
  readonly figures: Readonly<Record<string, Spread>>
  readonly ratio?: Spread
  readonly aim?: string
  readonly met?: boolean
}

export interface Report {
  readonly bench: string
  readonly unit: string
  readonly rounds: number
  readonly machine: string
  readonly lines: readonly Line[]
  readonly notes: readonly string[]
}

export interface Alternation {
  readonly bench: string
  readonly unit: string
  readonly rounds: number
  readonly cases: readonly Case[]
  readonly notes: readonly string[]
  readonly progress: (text: string) => void
}

export async function alternate({ bench, unit, rounds, cases, notes, progress }: Alternation): Promise<Report> {
  const measured = new Map<string, Measured[]>(cases.map((each) => [each.name, []]))
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? cases : cases.toReversed()
    for (const each of order) {
      progress(`${bench} round ${round + 1} of ${rounds}: ${each.name}`)
      measured.get(each.name)?.push(await each.run())
    }
  }
  const lines = cases.map((each) => summarize(each, measured))
  return { bench, unit, rounds, machine: machine(), lines, notes }
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  const lower = sorted[(sorted.length - 1) >> 1] ?? Number.NaN
  return { median: (lower + upper) / 2, low: sorted[0] ?? Number.NaN, high: sorted.at(-1) ?? Number.NaN }
}

export function machine(): string {
  return `${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${process.arch}, Node ${process.versions.node}`
}

function summarize(each: Case, measured: ReadonlyMap<string, readonly Measured[]>): Line {
  const own = measured.get(each.name) ?? []
  const names = [...new Set(own.flatMap((one) => Object.keys(one.figures ?? {})))]
  const figures = Object.fromEntries(names.map((name) => [name, spreadOf(own.flatMap((one) => one.figures?.[name] ?? []))]))
  const line = { name: each.name, value: spreadOf(own.map((one) => one.value)), figures }
  const floors = each.floor === undefined ? undefined : measured.get(each.floor)
  if (floors === undefined) return { ...line, ...judge(each, line) }
  const ratio = spreadOf(own.map((one, round) => one.value / (floors[round]?.value ?? Number.NaN)))
  return { ...line, ratio, ...judge(each, { ...line, ratio }) }
}

function judge(
  { aim }: Case,
  { value, ratio, figures }: Pick<Line, 'value' | 'ratio' | 'figures'>,
): { aim?: string; met?: boolean } {
  if (aim === undefined) return {}
  const limits = Object.entries(aim.most ?? {})
  const texts = [
    ...(aim.ratio === undefined ? [] : [`≥ ${aim.ratio}`]),
    ...(aim.least === undefined ? [] : [`value ≥ ${aim.least}`]),
    ...(aim.valueMost === undefined ? [] : [`value ≤ ${aim.valueMost}`]),
    ...limits.map(([name, most]) => `${name} ≤ ${most}`),
  ]
  const fast =
    (aim.ratio === undefined || (ratio?.median ?? Number.NaN) >= aim.ratio) &&
    (aim.least === undefined || value.median >= aim.least) &&
    (aim.valueMost === undefined || value.median <= aim.valueMost)
  const bounded = limits.every(([name, most]) => (figures[name]?.median ?? Number.POSITIVE_INFINITY) <= most)
  return { aim: texts.join(', '), met: fast && bounded }
}
