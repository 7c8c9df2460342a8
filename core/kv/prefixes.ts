/** Rows by the beginnings of their keys: those of the changelog, and the stored ones of whose keys it says nothing. */
import type { RunRef } from '../format/run/manifest.ts'
import { textAfter } from '../format/run/text.ts'
import type { Kept } from './keep.ts'
import { recordsOf, type SnapshotReading } from './snapshot.ts'
import { filtered, inLists, merged } from './sorted.ts'
import type { Beginning } from './states.ts'

export interface SoughtPrefixes {
  /** None begins with another. */
  readonly prefixes: readonly string[]
  /** Of each. */
  readonly rowsMax: number
  /** Of these prefixes, in the changelog. */
  readonly changed: Beginning
}

/** Of each prefix, live rows in key order. Errors: that of the room. */
export async function findPrefixes<T>(
  reading: SnapshotReading,
  runs: readonly RunRef[],
  { prefixes, rowsMax, changed }: SoughtPrefixes,
  kept: Kept<T>,
): Promise<readonly (readonly T[])[]> {
  const found: (readonly T[])[] = []
  for (const [i, prefix] of prefixes.entries()) {
    const values: T[] = []
    const stored = recordsOf(reading, runs, { from: prefix, to: textAfter(prefix) })
    const unchanged = filtered(stored, ({ key, row }) => row !== undefined && !changed.has(key))
    for await (const records of merged([inLists(changed.rows(i)), unchanged])) {
      const inside = records.filter(({ key }) => key.startsWith(prefix))
      await kept.take(
        inside.slice(0, rowsMax - values.length).map((record) => [i, record]),
        (_, value) => void values.push(value),
      )
      if (inside.length < records.length || values.length >= rowsMax) break
    }
    found.push(values)
  }
  return found
}
