/** Routes with what is known of each: as the file says, as the rows say, and as the changelog says when every change of it is made. */
import { changeKinds, changes } from '../../../core/model/changelog.ts'

export interface Route {
  flights: number
  /** Sum, minutes. */
  delay: number
  worst: number
  /** µs since 1970, exact in a double. */
  lastAt: number
  lastDelay: number
}

export type Routes = Map<number, Route>

/** UTF-8 as it lies in Arrow. */
export interface TextColumn {
  readonly offsets: Int32Array
  readonly bytes: Uint8Array
}

const codeLength = 3

/** Origin and destination as one number: their codes have three letters each. */
export function routeNumber(origins: TextColumn, destinations: TextColumn, row: number): number {
  let number = 0
  for (const { offsets, bytes } of [origins, destinations]) {
    const start = offsets[row] ?? 0
    if ((offsets[row + 1] ?? 0) - start !== codeLength) throw new Error('an airport whose code has not three letters')
    for (let at = start; at < start + codeLength; at++) number = number * 256 + (bytes[at] ?? 0)
  }
  return number
}

export interface RouteKey {
  readonly origin: string
  readonly destination: string
}

export function routeKey(number: number): RouteKey {
  const letters: string[] = []
  for (let rest = number; rest > 0; rest = Math.floor(rest / 256)) letters.unshift(String.fromCharCode(rest % 256))
  return { origin: letters.slice(0, codeLength).join(''), destination: letters.slice(codeLength).join('') }
}

export function routeName(number: number): string {
  const { origin, destination } = routeKey(number)
  return `${origin} → ${destination}`
}

/**
 * Makes one change. Undefined, or what is wrong with it: a changelog takes back what there is, and brings only what there is not.
 */
export function makeChange(
  routes: Routes,
  { kind, route, row }: { kind: number; route: number; row: Route },
): string | undefined {
  const before = routes.get(route)
  const isTakenBack = kind === changes.updateBefore || kind === changes.delete
  if (isTakenBack ? before !== undefined && isSame(before, row) : before === undefined) {
    if (isTakenBack) routes.delete(route)
    else routes.set(route, row)
    return undefined
  }
  return `${routeName(route)}: ${changeKinds[kind]} of ${described(row)} where there is ${described(before)}`
}

/** Of each route that differs: what the first and what the second say of it. */
export function differences(
  expected: Routes,
  found: Routes,
  { of, from }: { readonly of: string; readonly from: string },
): readonly string[] {
  const all: string[] = []
  for (const route of new Set([...expected.keys(), ...found.keys()])) {
    const [want, have] = [expected.get(route), found.get(route)]
    if (want !== undefined && have !== undefined && isSame(want, have)) continue
    all.push(`${routeName(route)}: ${described(want)} in ${of}, ${described(have)} in ${from}`)
  }
  return all
}

export const isSame = (a: Route, b: Route): boolean =>
  a.flights === b.flights && a.delay === b.delay && a.worst === b.worst && a.lastAt === b.lastAt && a.lastDelay === b.lastDelay

function described(route: Route | undefined): string {
  if (route === undefined) return 'nothing'
  const { flights, delay, worst, lastAt, lastDelay } = route
  return `${flights} flights, delay ${delay}, worst ${worst}, last ${timeText(lastAt)} ${lastDelay}`
}

export const timeText = (micros: number): string =>
  Number.isFinite(micros) ? new Date(micros / 1000).toISOString().slice(0, 16).replace('T', ' ') : 'never'

/** The busiest, most flights first. */
export const busiest = (routes: Iterable<readonly [number, Route]>, count: number): readonly (readonly [number, Route])[] =>
  [...routes].sort(([, a], [, b]) => b.flights - a.flights).slice(0, count)
