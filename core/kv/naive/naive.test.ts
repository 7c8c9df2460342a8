/**
 * Tables of any keys, partitions, columns, merge engine and image under any requests in any order (rows, parts of rows, deletes, inserts of
 * keys), of several processes at once, also of writers and readers that know older columns, with folds, restarts and changes of their
 * columns in between: lookups, prefixes, scans, counts and the changelog at every offset are those of a naive map.
 */
import fc from 'fast-check'
import { test } from 'vitest'
import { Story } from './story.case.ts'

test('whatever comes to whatever table, all of it is as a naive map has it, at every offset', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.gen(), (g) => Story.tell(g)),
    { numRuns: 120, endOnFailure: true },
  )
})
