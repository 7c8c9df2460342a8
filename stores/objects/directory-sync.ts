/**
 * Syncs of directories, shared. A caller may rely only on a sync that *began* after its link, so whoever comes while
 * one runs waits for the next one, and all who wait share it. Open directories are kept, at most 64 of them.
 */
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { codeOf } from './file-error.ts'

const openMax = 64

interface Folder {
  readonly handle: Promise<FileHandle>
  running: Promise<void> | undefined
  next: Promise<void> | undefined
}

export class DirectorySync {
  readonly #folders = new Map<string, Folder>()

  /** Resolves after a sync of the directory at `path` that began after this call. */
  after(path: string): Promise<void> {
    const folder = this.#open(path)
    if (folder.next !== undefined) return folder.next
    if (folder.running === undefined) return this.#run(path, folder)
    folder.next = folder.running
      .catch(() => undefined)
      .then(() => {
        folder.next = undefined
        return this.#run(path, folder)
      })
    return folder.next
  }

  async close(): Promise<void> {
    const folders = [...this.#folders.values()]
    this.#folders.clear()
    await Promise.all(folders.map(release))
  }

  #run(path: string, folder: Folder): Promise<void> {
    const running = folder.handle.then((handle) => handle.sync())
    folder.running = running
    const finish = (): void => {
      if (folder.running === running) folder.running = undefined
    }
    running.then(finish, () => {
      finish()
      // A directory that could not be opened or synced is opened anew by the next caller.
      if (this.#folders.get(path) === folder) this.#folders.delete(path)
      void release(folder)
    })
    return running
  }

  #open(path: string): Folder {
    const known = this.#folders.get(path)
    if (known !== undefined) {
      // The most recently used is last.
      this.#folders.delete(path)
      this.#folders.set(path, known)
      return known
    }
    const folder: Folder = { handle: open(path, 'r'), running: undefined, next: undefined }
    folder.handle.catch(() => undefined)
    this.#folders.set(path, folder)
    if (this.#folders.size > openMax) this.#evict()
    return folder
  }

  #evict(): void {
    for (const [path, folder] of this.#folders) {
      if (folder.running !== undefined || folder.next !== undefined) continue
      this.#folders.delete(path)
      void release(folder)
      return
    }
  }
}

/**
 * Makes a folder and the ones above it, durably: what is acked in it later is not lost with the folder itself. Step by step,
 * because Node's own recursive mkdir never ends where a parent is there and yet says that it is not, as below /proc.
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    const code = codeOf(error)
    if (code === 'EEXIST') return
    if (code !== 'ENOENT' || dirname(path) === path) throw error
    await makeFolder(dirname(path))
    await mkdir(path).catch((again: unknown) => {
      if (codeOf(again) !== 'EEXIST') throw again
    })
  }
  await syncOnce(dirname(path))
}

async function syncOnce(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

async function release(folder: Folder): Promise<void> {
  try {
    const handle = await folder.handle
    await folder.next?.catch(() => undefined)
    await folder.running?.catch(() => undefined)
    await handle.close()
  } catch {
    // Never opened or already closed: nothing is held.
  }
}
