/**
 * What was attempted, what was answered, and when: the input of the checks. Dense offsets are their own witness, so
 * the checks over it are nearly linear.
 */
import type { Effect } from '../../core/kernel/errors.ts'
import type { Trace } from './trace.ts'

export type PromiseId = 'G1' | 'G2' | 'G3' | 'G4' | 'G5' | 'G6' | 'G7' | 'G8' | 'G9' | 'G10' | 'G12' | 'harness'

export interface Broken {
  readonly promise: PromiseId
  readonly check: string
  readonly message: string
}

/** One client request; it may be attempted several times. */
export interface RequestRecord {
  readonly id: number
  readonly producer: { readonly name: string; readonly epoch: bigint; readonly sequence: bigint } | undefined
  readonly values: readonly bigint[]
  readonly attempts: AttemptRecord[]
}

/** One execution in one environment, whether its caller waited for it or not. */
export interface AttemptRecord {
  readonly from: number
  until: number | undefined
  /** The table that the name meant, once it was looked up. */
  tableId: string | undefined
  /** What was appended where, once it was routed. */
  parts: readonly PartSent[]
  /** In the order of `parts`; undefined while, or if, no answer came. */
  answer: readonly PartAnswer[] | undefined
}

export interface PartSent {
  readonly bucket: number
  readonly values: readonly bigint[]
}

export type PartAnswer =
  | { readonly done: true; readonly base: bigint; readonly end: bigint; readonly duplicate: boolean }
  | { readonly done: false; readonly code: string; readonly effect: Effect }

export interface DropRecord {
  readonly tableId: string
  /** When a drop answered that the table is gone. */
  readonly goneAt: number
}

export interface Retired {
  readonly start: bigint
  readonly values: bigint[]
  readonly times: number[]
  readonly boundaries: Set<bigint>
}

export class History {
  readonly requests = new Map<number, RequestRecord>()
  readonly drops = new Map<string, DropRecord>()
  readonly broken: Broken[] = []
  /** `<tableId>#<bucket>` → the rows that left its log, in order from its first. */
  readonly retired = new Map<string, Retired>()
  /** A request's effect may come after its caller gave up: a keyless request may then be in the log twice. */
  lateEffects = false
  readonly #trace: Trace
  /** `<tableId>#<bucket>` → offset → value, from every fetch ever. */
  readonly #seen = new Map<string, Map<bigint, bigint>>()
  readonly #ends = new Map<string, bigint>()

  constructor(trace: Trace) {
    this.#trace = trace
  }

  break(promise: PromiseId, check: string, message: string): void {
    if (this.broken.length >= 20) return
    this.broken.push({ promise, check, message })
    this.#trace.mark(`BROKEN ${promise} ${check}: ${message}`)
  }

  /** agree: one value per offset, over all reads ever. */
  see(tableId: string, bucket: number, offset: bigint, value: bigint): void {
    const name = `${tableId}#${bucket}`
    let values = this.#seen.get(name)
    if (values === undefined) {
      values = new Map()
      this.#seen.set(name, values)
    }
    const before = values.get(offset)
    if (before === undefined) values.set(offset, value)
    else if (before !== value) this.break('G5', 'agree', `offset ${offset} of ${name} was ${before} and is ${value}`)
  }

  /** The greatest end that any reader was told before. */
  endSeen(tableId: string, bucket: number): bigint {
    return this.#ends.get(`${tableId}#${bucket}`) ?? 0n
  }

  seeEnd(tableId: string, bucket: number, end: bigint): void {
    const name = `${tableId}#${bucket}`
    if (end > (this.#ends.get(name) ?? -1n)) this.#ends.set(name, end)
  }

  *seen(): Iterable<{ readonly name: string; readonly values: ReadonlyMap<bigint, bigint> }> {
    for (const [name, values] of this.#seen) yield { name, values }
  }

  *ends(): Iterable<readonly [string, bigint]> {
    yield* this.#ends
  }
}
