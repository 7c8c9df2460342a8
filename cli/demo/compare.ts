/** The lake against the source file, origin by origin. */
import type { OriginSums } from './flights.ts'

export interface Comparison {
  readonly equal: boolean
  readonly origins: number
  /** Rows in the lake. */
  readonly rows: number
  readonly differences: readonly string[]
  /** The busiest origins. */
  readonly top: readonly (OriginSums & { readonly origin: string })[]
}

export function compareSums(source: ReadonlyMap<string, OriginSums>, lake: ReadonlyMap<string, OriginSums>): Comparison {
  const differences: string[] = []
  for (const origin of new Set([...source.keys(), ...lake.keys()])) {
    const want = source.get(origin)
    const have = lake.get(origin)
    if (want?.count !== have?.count || want?.delay !== have?.delay || want?.distance !== have?.distance) {
      differences.push(`${origin}: ${describe(want)} in the file, ${describe(have)} in the lake`)
    }
  }
  const rows = [...lake.values()].reduce((sum, { count }) => sum + count, 0)
  const top = [...lake]
    .map(([origin, sums]) => ({ origin, ...sums }))
    .sort((a, b) => b.count - a.count)
    .slice(0, 5)
  return { equal: differences.length === 0 && rows > 0, origins: lake.size, rows, differences, top }
}

const describe = (sums: OriginSums | undefined): string =>
  sums === undefined ? 'nothing' : `${sums.count} flights, delay ${sums.delay}, distance ${sums.distance}`
