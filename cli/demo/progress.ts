/** How far the lanes of a demo came, in a file beside its data: written after an ack, so what it lacks is sent again as it was. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'

export interface Progress {
  /** The next sequence of each lane. */
  readonly next: number[]
  /** Rows acked so far. */
  rows: number
  /** Rows in all, where that is chosen. */
  readonly total?: number
}

export function readProgress(file: string): Progress | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Progress
  } catch {
    return undefined
  }
}

export function writeProgress(file: string, progress: Progress): void {
  writeFileSync(`${file}.new`, JSON.stringify(progress))
  renameSync(`${file}.new`, file)
}

export const newProgress = (lanes: number): Progress => ({ next: Array.from({ length: lanes }, () => 0), rows: 0 })
