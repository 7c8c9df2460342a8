import { expect, test } from 'vitest'
import { alternate, spreadOf } from './harness.ts'
import { isMet } from './plan.ts'

test('a spread is the median with the lowest and the highest', () => {
  expect(spreadOf([3, 1, 2])).toEqual({ median: 2, low: 1, high: 3 })
  expect(spreadOf([4, 1, 2, 3])).toEqual({ median: 2.5, low: 1, high: 4 })
})

test('cases take turns, the order is reversed every other round', async () => {
  const order: string[] = []
  const cases = ['a', 'b'].map((name) => ({
    name,
    run: async () => {
      order.push(name)
      return { value: 1 }
    },
  }))
  await alternate({ bench: 'x', unit: 'u', rounds: 3, cases, notes: [], progress: () => undefined })
  expect(order).toEqual(['a', 'b', 'b', 'a', 'a', 'b'])
})

test('a ratio is taken within each round, and the aim is judged by its median', async () => {
  const floors = [100, 10, 1000]
  const own = [50, 6, 400]
  const report = await alternate({
    bench: 'x',
    unit: 'u',
    rounds: 3,
    cases: [
      { name: 'floor', run: async () => ({ value: floors.shift() ?? 0 }) },
      {
        name: 'own',
        floor: 'floor',
        aim: { ratio: 0.5, most: { p99: 20 } },
        run: async () => ({ value: own.shift() ?? 0, figures: { p99: 21 } }),
      },
    ],
    notes: [],
    progress: () => undefined,
  })
  expect(report.lines[1]?.ratio).toEqual({ median: 0.5, low: 0.4, high: 0.6 })
  expect(report.lines[1]).toMatchObject({ aim: '≥ 0.5, p99 ≤ 20', met: false })
})

test.each([
  ['all are within', { remote: 3, load: 3, metadata: 1.1 }, true],
  ['a plan is not', { remote: 3.1, load: 1, metadata: 1 }, false],
  ['a load is not', { remote: 1, load: 3.1, metadata: 1 }, false],
  ['metadata grows on', { remote: 1, load: 1, metadata: 1.2 }, false],
])('planning after many commits is as asked where %s: %j, %s', (_, ratios, met) => {
  expect(isMet({ plan: 9, ...ratios })).toBe(met)
})
