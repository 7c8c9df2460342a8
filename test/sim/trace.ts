/**
 * What happened, one line an event. Two runs of one seed give the same lines in two processes: the meta test
 * compares the digests. A failure shows the lines around the first broken promise.
 */
import { createHash } from 'node:crypto'

export class Trace {
  now = 0
  readonly lines: string[] = []
  /** Lines that name a broken promise: index into `lines`. */
  readonly marks: number[] = []
  readonly #startMs: number

  constructor(startMs: number) {
    this.#startMs = startMs
    this.now = startMs
  }

  add(line: string): void {
    this.lines.push(`${this.now - this.#startMs} ${line}`)
  }

  mark(line: string): void {
    this.marks.push(this.lines.length)
    this.add(line)
  }

  digest(): string {
    return createHash('sha256').update(this.lines.join('\n')).digest('hex')
  }

  /** The lines around the first mark, else the last ones. */
  window(before: number, after: number): readonly string[] {
    const at = this.marks[0] ?? this.lines.length - 1
    return this.lines.slice(Math.max(0, at - before), at + after + 1)
  }
}
