/**
 * Group commit: within one process concurrent appends to a table share objects and commits. The pace is a minimum interval
 * between PUTs, not a linger: an idle append goes out at once. A group has one request of a producer, and a producer's next
 * request waits for its last one; who must wait is not overtaken on its lanes. Memory is bounded by `pendingBytesMax`.
 */

import type { Clock } from '../../kernel/clock.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { limits } from '../../kernel/limits.ts'
import type { BucketAppended, Producer } from '../types.ts'

export interface BatcherConfig {
  /** Least time between the starts of two groups of a table, ms. */
  readonly groupIntervalMs: number
  readonly groupBytesMax: number
  readonly groupsInFlightMax: number
  /** Encoded bytes waiting or in flight for one table; beyond, `throttled`. */
  readonly pendingBytesMax: number
}

export interface BatcherParts<P extends Sized> {
  /** Settles every waiting request of its group and never throws. */
  readonly run: (group: readonly Waiting<P>[]) => Promise<void>
  /** Groups in flight at once have no lane in common; absent: any may. */
  readonly laneOf?: (part: P) => string
}

/** A part of a request for one bucket. */
export interface Sized {
  readonly bytes: number
}

export interface Waiting<P extends Sized> {
  readonly parts: readonly P[]
  readonly producer: Producer | undefined
  readonly bytes: number
  readonly resolve: (appended: readonly BucketAppended[]) => void
  readonly reject: (error: unknown) => void
}

interface InLanes<P extends Sized> extends Waiting<P> {
  readonly lanes: readonly string[]
}

export class Batcher<P extends Sized> {
  readonly #clock: Clock
  readonly #config: BatcherConfig
  readonly #parts: BatcherParts<P>
  readonly #busyLanes = new Set<string>()
  readonly #busyProducers = new Set<string>()
  #pending: InLanes<P>[] = []
  #bytes = 0
  #inFlight = 0
  #lastStart = Number.NEGATIVE_INFINITY
  #pacing = false

  constructor(clock: Clock, config: BatcherConfig, parts: BatcherParts<P>) {
    this.#clock = clock
    this.#config = config
    this.#parts = parts
  }

  get idle(): boolean {
    return this.#pending.length === 0 && this.#inFlight === 0
  }

  submit(parts: readonly P[], producer: Producer | undefined): Promise<readonly BucketAppended[]> {
    const bytes = parts.reduce((sum, part) => sum + part.bytes, 0)
    if (this.#bytes > 0 && this.#bytes + bytes > this.#config.pendingBytesMax) {
      return Promise.reject(
        new SluiceError('throttled', 'too many rows wait to be written: try again a little later', { effect: 'none' }),
      )
    }
    const { laneOf } = this.#parts
    const lanes = laneOf === undefined ? [] : parts.map(laneOf)
    return new Promise((resolve, reject) => {
      this.#pending.push({ parts, producer, bytes, lanes, resolve, reject })
      this.#bytes += bytes
      this.#pump()
    })
  }

  #pump(): void {
    while (this.#pending.length > 0 && this.#inFlight < this.#config.groupsInFlightMax && !this.#pacing) {
      const wait = this.#lastStart + this.#config.groupIntervalMs - this.#clock.now()
      // More than the interval: the clock was set back, and the groups do not wait until it has caught up.
      if (wait > 0 && wait <= this.#config.groupIntervalMs) return this.#pace(wait)
      const group = this.#take()
      if (group.length === 0) return
      this.#start(group)
    }
  }

  #pace(ms: number): void {
    this.#pacing = true
    void this.#clock.sleep(ms).then(() => {
      this.#pacing = false
      this.#pump()
    })
  }

  /** In order of arrival; who must wait keeps its place. */
  #take(): readonly InLanes<P>[] {
    const group: InLanes<P>[] = []
    const left: InLanes<P>[] = []
    const taken = new Set<string>()
    const passedBy = new Set<string>()
    let bytes = 0
    for (const waiting of this.#pending) {
      const id = waiting.producer?.id
      const room = id === undefined || taken.size < limits.producersPerGroupMax
      const fits = group.length === 0 || (room && bytes + waiting.bytes <= this.#config.groupBytesMax)
      const isFree = !waiting.lanes.some((lane) => this.#busyLanes.has(lane) || passedBy.has(lane))
      const isNext = id === undefined || !(taken.has(id) || this.#busyProducers.has(id))
      if (!isFree || !fits || !isNext) {
        left.push(waiting)
        if (isNext) for (const lane of waiting.lanes) passedBy.add(lane)
        if (id !== undefined) taken.add(id)
        continue
      }
      group.push(waiting)
      bytes += waiting.bytes
      if (id !== undefined) taken.add(id)
    }
    this.#pending = left
    return group
  }

  #start(group: readonly InLanes<P>[]): void {
    this.#inFlight += 1
    this.#lastStart = this.#clock.now()
    for (const { producer } of group) if (producer !== undefined) this.#busyProducers.add(producer.id)
    const lanes = new Set(group.flatMap((waiting) => waiting.lanes))
    for (const lane of lanes) this.#busyLanes.add(lane)
    void this.#parts.run(group).finally(() => {
      this.#inFlight -= 1
      for (const lane of lanes) this.#busyLanes.delete(lane)
      for (const { producer, bytes } of group) {
        this.#bytes -= bytes
        if (producer !== undefined) this.#busyProducers.delete(producer.id)
      }
      this.#pump()
    })
  }
}
