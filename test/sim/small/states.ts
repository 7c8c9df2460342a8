/**
 * States of the small world, so that none is explored twice. A process is a function of what it was answered, so the state of
 * a run is: the stores, what each process has been answered and in which order, which of its calls are still under way, the
 * faults that are left, the time, and what the history has recorded for the checks. Two runs that agree in all of it have the
 * same futures and the same verdicts; the second one is cut.
 */
import { createHash } from 'node:crypto'
import type { Process } from '../process.ts'

export class States {
  readonly #seen = new Set<string>()

  get size(): number {
    return this.#seen.size
  }

  /** False if it was here before. */
  add(state: readonly unknown[]): boolean {
    const key = digest(state)
    if (this.#seen.has(key)) return false
    this.#seen.add(key)
    return true
  }
}

/** What each process was answered so far, and the numbers of its calls that have not arrived. */
export class Answers {
  readonly #ofProcess = new Map<Process, { answered: string; calls: number; readonly underWay: Set<string> }>()

  /** Names a call by its place among those of its process. */
  begin(from: Process, fate: string): string {
    const state = this.#of(from)
    const name = `${++state.calls} ${fate}`
    state.underWay.add(name)
    return name
  }

  arrived(from: Process, call: string): void {
    this.#of(from).underWay.delete(call)
  }

  /** `answer`: a value or an error, as the process got it. */
  answered(from: Process, call: string, answer: unknown): void {
    const state = this.#of(from)
    state.answered = digest([state.answered, call, answer instanceof Error ? [answer.name, answer.message] : answer])
  }

  all(): readonly unknown[] {
    return [...this.#ofProcess].map(([{ id, alive }, { answered, underWay }]) => [id, alive, answered, [...underWay].sort()])
  }

  #of(process: Process) {
    const found = this.#ofProcess.get(process)
    if (found !== undefined) return found
    const made = { answered: '', calls: 0, underWay: new Set<string>() }
    this.#ofProcess.set(process, made)
    return made
  }
}

function digest(value: unknown): string {
  return createHash('sha1').update(JSON.stringify(value, plain)).digest('base64')
}

function plain(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1')
  if (value instanceof Map) return [...value]
  return value
}
