/** What is compared between source and lake: rows and sums, origin by origin and month by month. */
export interface Totals {
  count: number
  delay: number
  distance: number
  /** Flights with an hour, and the sum of their hours. */
  timed: number
  hours: number
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
  /** Null in the rows that were sent before the column came. */
  readonly hour: number | null
}

export interface Comparison {
  readonly equal: boolean
  readonly origins: number
  /** Rows in the lake. */
  readonly rows: number
  /** Those of them with an hour. */
  readonly timed: number
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
  const all = [...lake.months.values()]
  const rows = all.reduce((sum, { count }) => sum + count, 0)
  const timed = all.reduce((sum, totals) => sum + totals.timed, 0)
  const top = [...lake.origins]
    .map(([origin, totals]) => ({ origin, ...totals }))
    .sort((a, b) => b.count - a.count)
    .slice(0, 5)
  return { equal: differences.length === 0 && rows > 0, origins: lake.origins.size, rows, timed, differences, top }
}

function add(sums: Map<string, Totals>, key: string, { delay, distance, hour }: Flight): void {
  let totals = sums.get(key)
  if (totals === undefined) {
    totals = { count: 0, delay: 0, distance: 0, timed: 0, hours: 0 }
    sums.set(key, totals)
  }
  totals.count += 1
  totals.delay += delay
  totals.distance += distance
  if (hour === null) return
  totals.timed += 1
  totals.hours += hour
}

function* differencesOf(source: ReadonlyMap<string, Totals>, lake: ReadonlyMap<string, Totals>): Generator<string> {
  for (const key of new Set([...source.keys(), ...lake.keys()])) {
    const [want, have] = [describe(source.get(key)), describe(lake.get(key))]
    if (want !== have) yield `${key}: ${want} in the file, ${have} in the lake`
  }
}

function describe(totals: Totals | undefined): string {
  if (totals === undefined) return 'nothing'
  const { count, delay, distance, timed, hours } = totals
  return `${count} flights, delay ${delay}, distance ${distance}, ${timed} with hours of ${hours}`
}
