/**
 * held: a reader that planned a query may be at what was current within the time that snapshots are kept, so none of it is deleted;
 * clocks differ, and shorten the time. Told of each commit, asked at each deletion.
 */
import type { History } from '../history.ts'

/** Each of two clocks may be off by so much. */
const skewMsMax = 300_000

export class HeldObjects {
  readonly #ageMs: number
  readonly #current = new Map<string, ReadonlySet<string>>()
  /** Virtual ms until which a reader may need the object. */
  readonly #until = new Map<string, number>()

  constructor(snapshotAgeMs: number) {
    this.#ageMs = snapshotAgeMs - skewMsMax
  }

  /** `references`: of the commit's snapshot, with its own metadata and points; no reader comes back to the points. */
  committed(tableId: string, references: ReadonlySet<string>, now: number): void {
    for (const object of this.#current.get(tableId) ?? [])
      if (/\/(data|metadata|staged)\//.test(object)) this.#until.set(object, now + this.#ageMs)
    this.#current.set(tableId, references)
  }

  deleted(history: History, object: string, now: number): void {
    if ((this.#until.get(object) ?? 0) <= now || [...history.drops.keys()].some((tableId) => object.includes(tableId))) return
    history.break('G10', 'held', `${object} is deleted while a reader of a snapshot that was current may be at it`)
  }
}
