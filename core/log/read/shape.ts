/**
 * Walks whose rows are made into others, at some of their offsets. Of what a walk has read there may be no row at all: it goes on from
 * there until there is one, or its time is over.
 */
import { present } from '../../kernel/assert.ts'
import type { Table } from '../../model/table.ts'
import type { Ranges } from './ranges.ts'
import type { Reading, Step } from './reading.ts'
import { positionsAfter, type Walk, type WalkRequest, walk } from './walk.ts'

/** As many steps as it takes; it keeps none of the walk's bytes. */
export type Shape = (reading: Reading, table: Table, walked: Walk) => Promise<readonly Step[]>

export interface ShapeReading extends Reading {
  readonly ranges: Ranges
}

export interface Shaped {
  readonly walked: Walk
  /** Lets the memory of its rows go. */
  readonly release: () => void
}

const searchMsMax = 10_000

export async function walkShaped(
  reading: ShapeReading,
  table: Table,
  request: WalkRequest,
  shape: Shape | undefined,
): Promise<Shaped> {
  const { clock } = reading.world
  const until = clock.now() + searchMsMax
  const steps: Step[] = []
  let starts: Walk['buckets'] | undefined
  for (let { buckets } = request; ; ) {
    const ranges = reading.ranges.borrow()
    const own = { ...reading, ranges }
    const read = await walk(own, table, { ...request, buckets })
    if (shape === undefined) return { walked: read, release: () => ranges.release() }
    starts ??= read.buckets
    steps.push(...(await shape(own, table, read)))
    const isOver = hasRows(steps) || !hasRows(read.steps) || clock.now() >= until
    if (isOver) return { walked: { buckets: startingAt(starts, read.buckets), steps }, release: () => ranges.release() }
    ranges.release()
    const next = positionsAfter(read, Number.POSITIVE_INFINITY)
    buckets = buckets.map((at, i) => ({ ...at, from: present(next[i], 'a position') }))
  }
}

const hasRows = (steps: readonly Step[]): boolean => steps.some(({ rows }) => rows !== undefined)

const startingAt = (starts: Walk['buckets'], buckets: Walk['buckets']): Walk['buckets'] =>
  buckets.map((bucket, i) => ({ ...bucket, start: present(starts[i], 'a bucket of the first walk').start }))
