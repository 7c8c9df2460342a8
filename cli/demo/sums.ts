/** What is compared between source and lake: rows and sums, origin by origin and month by month. */
export interface Totals {
  count: number
  delay: number
  distance: number
}

export interface Sums {
  readonly origins: Map<string, Totals>
  readonly months: Map<string, Totals>
}

export interface Flight {
  readonly month: string
  readonly origin: string
  readonly delay: number
  readonly distance: number
}

export interface Comparison {
  readonly equal: boolean
  readonly origins: number
  /** Rows in the lake. */
  readonly rows: number
  readonly differences: readonly string[]
  /** The busiest origins. */
  readonly top: readonly (Totals & { readonly origin: string })[]
}

export const emptySums = (): Sums => ({ origins: new Map(), months: new Map() })

export function take({ origins, months }: Sums, flight: Flight): void {
  add(origins, flight.origin, flight)
  add(months, flight.month, flight)
}

export function compareSums(source: Sums, lake: Sums): Comparison {
  const differences = [...differencesOf(source.months, lake.months), ...differencesOf(source.origins, lake.origins)]
  const rows = [...lake.origins.values()].reduce((sum, { count }) => sum + count, 0)
  const top = [...lake.origins]
    .map(([origin, totals]) => ({ origin, ...totals }))
    .sort((a, b) => b.count - a.count)
    .slice(0, 5)
  return { equal: differences.length === 0 && rows > 0, origins: lake.origins.size, rows, differences, top }
}

function add(sums: Map<string, Totals>, key: string, { delay, distance }: Flight): void {
  const found = sums.get(key)
  if (found === undefined) sums.set(key, { count: 1, delay, distance })
  else {
    found.count += 1
    found.delay += delay
    found.distance += distance
  }
}

function* differencesOf(source: ReadonlyMap<string, Totals>, lake: ReadonlyMap<string, Totals>): Generator<string> {
  for (const key of new Set([...source.keys(), ...lake.keys()])) {
    const [want, have] = [source.get(key), lake.get(key)]
    if (want?.count !== have?.count || want?.delay !== have?.delay || want?.distance !== have?.distance)
      yield `${key}: ${describe(want)} in the file, ${describe(have)} in the lake`
  }
}

const describe = (totals: Totals | undefined): string =>
  totals === undefined ? 'nothing' : `${totals.count} flights, delay ${totals.delay}, distance ${totals.distance}`
