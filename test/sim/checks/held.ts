/**
 * held: a reader that planned a query may be at what was current within the time that snapshots are kept, so none of it is deleted;
 * clocks differ, and shorten the time. Told of each commit, asked at each deletion. Of a fast pace one snapshot in a while is kept beyond
 * the newest hundred: what came and went in between is kept by its age alone, which some collectors here do not look at.
 */
import type { History } from '../history.ts'

/** Each of two clocks may be off by so much. */
const skewMsMax = 300_000
/** As upkeep/expire.ts says. */
const allKept = 100
const gapMs = 60_000

export class HeldObjects {
  readonly #ageMs: number
  readonly #current = new Map<string, ReadonlySet<string>>()
  /** Virtual ms until which a reader may need the object. */
  readonly #until = new Map<string, number>()
  /** When the object came, and the commits of its table by then and when it went. */
  readonly #came = new Map<string, number>()
  readonly #wentAt = new Map<string, { readonly commits: number; readonly now: number }>()
  readonly #commits = new Map<string, number>()

  constructor(snapshotAgeMs: number) {
    this.#ageMs = snapshotAgeMs - skewMsMax
  }

  /** `references`: of the commit's snapshot, with its own metadata and points; no reader comes back to the points. */
  committed(tableId: string, references: ReadonlySet<string>, now: number): void {
    const commits = (this.#commits.get(tableId) ?? 0) + 1
    this.#commits.set(tableId, commits)
    for (const object of references) if (!this.#came.has(object)) this.#came.set(object, now)
    for (const object of this.#current.get(tableId) ?? []) {
      if (!/\/(data|metadata|staged)\//.test(object)) continue
      this.#until.set(object, now + this.#ageMs)
      this.#wentAt.set(object, { commits, now })
    }
    this.#current.set(tableId, references)
  }

  deleted(history: History, object: string, now: number): void {
    if ((this.#until.get(object) ?? 0) <= now || [...history.drops.keys()].some((tableId) => object.includes(tableId))) return
    if (this.#isThinned(object)) return
    history.break('G10', 'held', `${object} is deleted while a reader of a snapshot that was current may be at it`)
  }

  #isThinned(object: string): boolean {
    const went = this.#wentAt.get(object)
    const tableId = [...this.#commits.keys()].find((id) => object.includes(id))
    const since = (this.#commits.get(tableId ?? '') ?? 0) - (went?.commits ?? 0)
    return went !== undefined && since + 1 >= allKept && went.now - (this.#came.get(object) ?? 0) <= 2 * gapMs
  }
}
