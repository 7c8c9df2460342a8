import { expect, test } from 'vitest'
import { unproven } from './proof.ts'

const snapshot = { sequence: 1, committedAt: 0, addedFiles: 1, addedRows: 10, rows: 10 }
const month = { month: '2001-01', files: 1, bytes: 1, rows: 10 }
const lake = {
  snapshots: [snapshot, { ...snapshot, sequence: 2, rows: 20 }],
  months: [month, { ...month, month: '2001-02' }],
  oldestRows: 10,
  oldestColumns: 5,
  columns: 6,
}

test('a demo that shows all of it has nothing unproven', () => {
  expect(unproven(lake, { equal: true })).toEqual([])
})

test('a demo that goes on after its first snapshots expired is not blamed for their columns', () => {
  const left = { ...lake, snapshots: [{ ...snapshot, sequence: 9 }], oldestColumns: 6 }
  expect(unproven(left, { equal: true })).toEqual([])
})

test.each([
  ['the lake differs', lake, false, 'differs from the source'],
  ['the oldest snapshot has other rows than it says', { ...lake, oldestRows: 20 }, true, 'time travel read 20 rows'],
  ['there is no snapshot', { ...lake, snapshots: [] }, true, 'it has none'],
  ['the oldest snapshot has the new column', { ...lake, oldestColumns: 6 }, true, '6 columns of 6'],
  ['there is one month alone', { ...lake, months: [month] }, true, 'the lake has 1 months'],
])('the demo fails where %s', (_, facts, equal, message) => {
  expect(unproven(facts, { equal })).toEqual([expect.stringContaining(message)])
})
