/** Folders of a bench, removed when it ends, and files in them that child processes read. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

export interface Scratch {
  /** A new empty folder. */
  folder(): string
  file(name: string, bytes: Uint8Array): string
  remove(folder: string): void
}

export async function withScratch<T>(run: (scratch: Scratch) => Promise<T>): Promise<T> {
  const root = mkdtempSync(path.join(tmpdir(), 'sluice-bench-'))
  let folders = 0
  try {
    return await run({
      folder: () => {
        const made = path.join(root, `${++folders}`)
        mkdirSync(made)
        return made
      },
      file: (name, bytes) => {
        const file = path.join(root, name)
        writeFileSync(file, bytes)
        return file
      },
      remove: (folder) => rmSync(folder, { recursive: true, force: true }),
    })
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}
