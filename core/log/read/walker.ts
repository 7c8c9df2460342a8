/**
 * The inside of a walk: entries of its buckets, turn by turn, in waves whose first reads go out together; their frames, of which
 * those that statistics rule out are passed over unread; then the columns of as many frames as the body has room for. What is
 * held at once: a wave of small entries, and the body.
 */
import type { Field } from '../../format/arrow/column.ts'
import { type Verdict, verdictOf } from '../../format/arrow/prune.ts'
import type { Head } from '../../format/items/head.ts'
import { present } from '../../kernel/assert.ts'
import { type Offset, offsetOf } from '../../kernel/ids.ts'
import { columnsOf, type Filter, type FilterColumn } from '../../model/filter.ts'
import { type BucketRef, idOf } from '../../model/partition.ts'
import type { Table } from '../../model/table.ts'
import { boundsOf } from './conform.ts'
import { entriesFrom, type PlacedEntry } from './entries.ts'
import { openEntries, type StoredFrame } from './frames.ts'
import type { Reading, Step } from './reading.ts'
import { cutRows, type FrameForm, type FrameRead, frameForm, loadFrames, readBytes } from './rows.ts'
import { entryBounds, systemBounds } from './system.ts'

export interface WalkerBucket extends BucketRef {
  readonly head: Head | undefined
  readonly start: Offset
  readonly end: Offset
  readonly isGone: boolean
}

export interface WalkerLimits {
  readonly fields: readonly Field[]
  readonly filter?: Filter
  readonly rowsMax: number
  readonly bytesMax: number
}

const waveEntriesMax = 64
const pendingFramesMax = 256
/** Of entries, before the next bucket has its turn. */
const turnBytes = 1024 * 1024
/** A walk that found nothing yet goes on for so long; one with rows ends sooner. */
const searchMsMax = 10_000
const fillMsMax = 1_000

interface TurnEntry extends PlacedEntry {
  /** Index of the bucket. */
  readonly bucket: number
}

/** Passed over, or to be read. */
type Pending = { readonly bucket: number; readonly next: Offset } | { readonly bucket: number; readonly read: FrameRead }

export class Walker {
  readonly #reading: Reading
  readonly #table: Table
  readonly #limits: WalkerLimits
  readonly #buckets: readonly WalkerBucket[]
  readonly #steps: Step[]
  readonly #filterColumns: readonly FilterColumn[]
  readonly #forms = new Map<number, FrameForm>()
  readonly #startedMs: number
  #pending: Pending[] = []
  #pendingBytes = 0
  #pendingRows = 0
  #rows = 0
  #bytes = 0
  #isFull = false

  /** `steps` grow as the walk goes on, and stand where it fails. */
  constructor(reading: Reading, table: Table, limits: WalkerLimits, buckets: readonly WalkerBucket[], steps: Step[]) {
    this.#reading = reading
    this.#table = table
    this.#limits = limits
    this.#buckets = buckets
    this.#steps = steps
    this.#filterColumns = limits.filter === undefined ? [] : columnsOf(limits.filter)
    this.#startedMs = reading.world.clock.now()
  }

  async run(): Promise<void> {
    for await (const wave of this.#waves()) {
      await this.#walkWave(wave)
      await this.#flush()
      if (this.#isOver) return
    }
  }

  get #isOver(): boolean {
    if (this.#isFull) return true
    const ms = this.#reading.world.clock.now() - this.#startedMs
    return ms >= (this.#rows > 0 ? fillMsMax : searchMsMax)
  }

  async #walkWave(wave: readonly TurnEntry[]): Promise<void> {
    const shape = { tableId: this.#table.tableId, columns: this.#table.schema.columns.length }
    let left = this.#limits.bytesMax - this.#bytes
    const reads = wave
      .filter((turn) => !this.#isRuledOut(turn))
      .map((turn) => {
        const whole = this.#isEverythingWanted && turn.entry.length <= left
        left -= turn.entry.length
        return { ...turn, whole }
      })
    const opened = (await openEntries(this.#reading.ranges, shape, reads)).values()
    for (const turn of wave) {
      const { bucket } = turn
      if (this.#isRuledOut(turn)) {
        this.#pending.push({ bucket, next: offsetOf(turn.offset + BigInt(turn.entry.count)) })
        continue
      }
      for await (const frame of present(opened.next().value, 'an opened entry')) {
        // Frames of the first entry that lie before the start are no progress.
        if (frame.offset + BigInt(frame.rows) <= this.#bucket(bucket).start) continue
        this.#addFrame(bucket, frame, this.#forms.get(frame.schemaId) ?? (await this.#form(frame.schemaId)))
        if (this.#isPendingEnough) await this.#flush()
        if (this.#isOver) return
      }
    }
  }

  /** By where its rows lie and when they came: nothing of it is read. */
  #isRuledOut({ bucket: index, offset, entry }: TurnEntry): boolean {
    const { filter } = this.#limits
    if (filter === undefined) return false
    const { partition, bucket } = this.#bucket(index)
    const place = { partition: partition.name, bucket, offset, rows: entry.count, timestamp: entry.time }
    return verdictOf(filter, (column) => entryBounds(column, place)) === 'none'
  }

  get #isEverythingWanted(): boolean {
    const { fields, filter } = this.#limits
    return filter === undefined && fields.length === this.#table.schema.columns.length
  }

  #addFrame(index: number, stored: StoredFrame, form: FrameForm): void {
    const { partition, bucket } = this.#bucket(index)
    const end = offsetOf(stored.offset + BigInt(stored.rows))
    const verdict = this.#verdict({ partition, bucket }, stored, form)
    if (verdict === 'none') {
      this.#pending.push({ bucket: index, next: end })
      return
    }
    const read = { partition, bucket, stored, form, verdict }
    this.#pending.push({ bucket: index, read })
    this.#pendingBytes += readBytes(read)
    if (verdict === 'all') this.#pendingRows += stored.rows
  }

  async #form(schemaId: number): Promise<FrameForm> {
    const { fields, filter } = this.#limits
    const schema = await this.#reading.schemas.of(this.#table, schemaId)
    const form = frameForm(schema, fields, filter, this.#filterColumns)
    this.#forms.set(schemaId, form)
    return form
  }

  #verdict({ partition, bucket }: BucketRef, { offset, rows, time, frame }: StoredFrame, form: FrameForm): Verdict {
    if (form.filter === undefined) return 'all'
    const place = { partition: partition.name, bucket, offset, rows, timestamp: time }
    return verdictOf(form.filter, (column) => {
      const source = form.filterSources.get(column)
      return source === undefined ? systemBounds(column, place) : boundsOf(source, frame)
    })
  }

  get #isPendingEnough(): boolean {
    return (
      this.#pendingBytes >= this.#limits.bytesMax - this.#bytes ||
      this.#pendingRows >= this.#limits.rowsMax - this.#rows ||
      this.#pending.length >= pendingFramesMax
    )
  }

  async #flush(): Promise<void> {
    const wanted = this.#pending.length
    const pending = this.#whatFits()
    this.#pending = []
    this.#pendingBytes = 0
    this.#pendingRows = 0
    const reads = pending.flatMap((one) => ('read' in one ? [one.read] : []))
    const loaded = await loadFrames(this.#reading.ranges, reads)
    let at = 0
    for (const one of pending) {
      if (!('read' in one)) {
        this.#step({ bucket: one.bucket, next: one.next })
        continue
      }
      const { start, end } = this.#bucket(one.bucket)
      const cut = { from: start, to: end, rowsMax: this.#limits.rowsMax - this.#rows }
      const { rows, next } = cutRows(one.read, present(loaded[at++], 'a loaded frame'), cut)
      if (rows === undefined) {
        this.#step({ bucket: one.bucket, next })
        continue
      }
      this.#isFull = this.#rows > 0 && this.#bytes + rows.bytes > this.#limits.bytesMax
      if (this.#isFull) return
      this.#rows += rows.rows
      this.#bytes += rows.bytes
      this.#steps.push({ bucket: one.bucket, next, rows })
      this.#isFull = this.#rows >= this.#limits.rowsMax || this.#bytes >= this.#limits.bytesMax
      if (this.#isFull) return
    }
    this.#isFull ||= pending.length < wanted
  }

  /** What the body has no room for is not read, as far as that is known before; but one frame that surely has rows is. */
  #whatFits(): readonly Pending[] {
    let bytes = this.#bytes
    let hasRows = this.#rows > 0
    const end = this.#pending.findIndex((one) => {
      if (!('read' in one) || one.read.verdict !== 'all') return false
      bytes += readBytes(one.read)
      if (hasRows && bytes > this.#limits.bytesMax) return true
      hasRows = true
      return false
    })
    return end === -1 ? this.#pending : this.#pending.slice(0, end)
  }

  /** Steps without rows are joined where they follow each other. */
  #step(step: Step): void {
    const last = this.#steps.at(-1)
    if (last?.bucket === step.bucket && last.rows === undefined) this.#steps.pop()
    this.#steps.push(step)
  }

  /** Entries whose first reads go out together: as many as the body may need. */
  async *#waves(): AsyncIterable<readonly TurnEntry[]> {
    let wave: TurnEntry[] = []
    let bytes = 0
    let rows = 0
    for await (const turn of this.#turns()) {
      wave.push(turn)
      bytes += turn.entry.length * this.#share
      rows += turn.entry.count
      const isEnough = this.#limits.filter === undefined && rows >= this.#limits.rowsMax - this.#rows
      if (wave.length < waveEntriesMax && bytes < this.#limits.bytesMax - this.#bytes && !isEnough) continue
      yield wave
      wave = []
      bytes = 0
      rows = 0
    }
    if (wave.length > 0) yield wave
  }

  /** Of an entry's bytes that are likely to be read. */
  get #share(): number {
    const { fields, filter } = this.#limits
    if (filter !== undefined) return 1 / waveEntriesMax
    return Math.max(1, fields.length) / this.#table.schema.columns.length
  }

  async *#turns(): AsyncIterable<TurnEntry> {
    let waiting = this.#buckets.flatMap((bucket, index) => {
      if (bucket.isGone || bucket.head === undefined || bucket.start >= bucket.end) return []
      const entries = entriesFrom(this.#reading.world, this.#table.tableId, idOf(bucket), bucket.head, bucket.start)
      return [{ index, entries: entries[Symbol.asyncIterator]() }]
    })
    while (waiting.length > 0) {
      const more: typeof waiting = []
      for (const one of waiting) {
        let bytes = 0
        let isDone = false
        while (bytes < turnBytes && !isDone) {
          const { done, value } = await one.entries.next()
          isDone = done === true
          if (isDone) break
          yield { ...(value as PlacedEntry), bucket: one.index }
          bytes += (value as PlacedEntry).entry.length
        }
        if (!isDone) more.push(one)
      }
      waiting = more
    }
  }

  #bucket(index: number): WalkerBucket {
    return present(this.#buckets[index], 'a bucket of the walk')
  }
}
