/**
 * The scheduler: virtual time and the events that are due, one after the other. Between two events every
 * microtask runs to its end (setImmediate fires only on an empty microtask queue), so the order of everything
 * depends on the seed alone. No real timer, stream, thread or crypto.subtle may be behind a simulated call.
 * `arrive` events change only stores and wake nobody, so nothing has to be drained after them.
 */
import type { Seeded } from './random.ts'
import type { Trace } from './trace.ts'

export type EventKind = 'arrive' | 'reply' | 'timer'

export interface Scheduler {
  /** Virtual ms since 1970. */
  readonly now: number
  readonly steps: number
  after(ms: number, kind: EventKind, run: () => void): void
  /** Runs until `finished`, until nothing is left, or until a limit. */
  run(finished: () => boolean, limits: RunLimits): Promise<RunEnd>
}

export interface RunLimits {
  readonly stepsMax: number
  readonly untilMs: number
}

export type RunEnd = 'finished' | 'idle' | 'steps' | 'time'

interface Event {
  readonly at: number
  readonly tie: number
  readonly kind: EventKind
  readonly run: () => void
}

export class SeededScheduler implements Scheduler {
  now: number
  steps = 0
  readonly #heap: Event[] = []
  readonly #ties: Seeded
  readonly #trace: Trace

  constructor(ties: Seeded, trace: Trace, startMs: number) {
    this.#ties = ties
    this.#trace = trace
    this.now = startMs
  }

  after(ms: number, kind: EventKind, run: () => void): void {
    push(this.#heap, { at: this.now + Math.max(0, ms), tie: this.#ties.next(), kind, run })
  }

  async run(finished: () => boolean, limits: RunLimits): Promise<RunEnd> {
    await drain()
    while (!finished()) {
      const event = pop(this.#heap)
      if (event === undefined) return 'idle'
      if (this.steps >= limits.stepsMax) return 'steps'
      if (event.at > limits.untilMs) return 'time'
      this.now = event.at
      this.#trace.now = event.at
      this.steps++
      event.run()
      if (event.kind !== 'arrive') await drain()
    }
    return 'finished'
  }
}

export const drain = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const before = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.tie < b.tie)

function push(heap: Event[], event: Event): void {
  let i = heap.push(event) - 1
  while (i > 0) {
    const parent = (i - 1) >> 1
    const above = heap[parent] as Event
    if (!before(event, above)) break
    heap[i] = above
    i = parent
  }
  heap[i] = event
}

function pop(heap: Event[]): Event | undefined {
  const first = heap[0]
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return first
  let i = 0
  for (;;) {
    let child = 2 * i + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && before(heap[child + 1] as Event, heap[child] as Event)) child++
    const below = heap[child] as Event
    if (!before(below, last)) break
    heap[i] = below
    i = child
  }
  heap[i] = last
  return first
}
