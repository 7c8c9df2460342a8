import { expect, test } from 'vitest'
import { utf8 } from '../../../core/kernel/bytes.ts'
import { changes } from '../../../core/model/changelog.ts'
import { busiest, differences, makeChange, type Route, type Routes, routeKey, routeName, routeNumber } from './routes.ts'

const text = (...values: string[]) => ({
  offsets: Int32Array.from([0, ...values.map((_, i) => values.slice(0, i + 1).join('').length)]),
  bytes: utf8(values.join('')),
})
const route = routeNumber(text('SEA', 'LAX'), text('SFO', 'ORD'), 1)
const row = (flights: number): Route => ({ flights, delay: 1, worst: 1, lastAt: 978_307_200_000_000, lastDelay: 1 })
const folded = (...list: readonly (readonly [keyof typeof changes, Route])[]) => {
  const routes: Routes = new Map()
  const wrong = list.flatMap(([kind, row]) => makeChange(routes, { kind: changes[kind], route, row }) ?? [])
  return { routes, wrong }
}

test('a route is a number and comes back', () => {
  expect([routeKey(route), routeName(route)]).toEqual([{ origin: 'LAX', destination: 'ORD' }, 'LAX → ORD'])
  expect(() => routeNumber(text('NEW YORK'), text('SFO'), 0)).toThrow(/three letters/)
})

test('a changelog that takes back what is there, and brings what is not, is what is left', () => {
  const { routes, wrong } = folded(['insert', row(1)], ['updateBefore', row(1)], ['updateAfter', row(2)])
  expect([wrong, routes.get(route)]).toEqual([[], row(2)])
  expect(folded(['insert', row(1)], ['delete', row(1)]).routes.size).toBe(0)
})

test.each([
  ['a row that comes twice', folded(['insert', row(1)], ['insert', row(1)])],
  ['an update of nothing taken back', folded(['insert', row(1)], ['updateAfter', row(2)])],
  ['another row taken back', folded(['insert', row(2)], ['updateBefore', row(1)])],
  ['nothing taken back', folded(['delete', row(1)])],
])('%s is a defect', (_, { wrong }) => {
  expect(wrong).toEqual([expect.stringMatching(/^LAX → ORD: [+-][IUD] of /)])
})

test('what differs is said from both sides, and the busiest come first', () => {
  const [a, b] = [new Map([[route, row(1)]]), new Map([[route, row(2)]])] as const
  expect(differences(a, a, { of: 'x', from: 'y' })).toEqual([])
  expect(differences(a, b, { of: 'x', from: 'y' })).toEqual([
    'LAX → ORD: 1 flights, delay 1, worst 1, last 2001-01-01 00:00 1 in x, 2 flights, delay 1, worst 1, last 2001-01-01 00:00 1 in y',
  ])
  expect(differences(a, new Map(), { of: 'x', from: 'y' })).toEqual([expect.stringMatching(/nothing in y$/)])
  expect(
    busiest(
      [
        [1, row(1)],
        [2, row(3)],
        [3, row(2)],
      ],
      2,
    ).map(([each]) => each),
  ).toEqual([2, 3])
})
