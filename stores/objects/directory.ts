/**
 * ObjectStore in a directory. An object is written under a temporary name in the same file system, synced, and then
 * linked under its key: a key shows its whole bytes or nothing, and the first link wins across processes.
 * A create resolves after a sync of the directory that began after its link. A crash leaves at most a temporary
 * file, which no listing shows and which the next open removes when it is an hour old.
 */
import { randomBytes } from 'node:crypto'
import { linkSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, stat, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { equalBytes, joined, type Pieces } from '../../core/kernel/bytes.ts'
import type { ByteRange, ListedObject, ObjectStore, RangeInto } from '../../core/ports/objects.ts'
import { closeOpened, readRange, readSmall } from './directory-read.ts'
import { DirectorySync, makeFolder } from './directory-sync.ts'
import { discard, TemporaryFiles } from './directory-write.ts'
import { codeOf, fileError } from './file-error.ts'
import { absent, checkKey, checkPrefix, checkRange } from './key.ts'

/** No key can contain `~`, so these never meet an object. */
const temporaryFolder = '~temporary'
const temporaryAgeMs = 3_600_000
const deletesAtOnce = 16
const foldersKnownMax = 65_536

/** `path` is created if it is missing. `now` (ms) dates left-over temporary files. */
export async function openDirectory(path: string, now: () => number = Date.now): Promise<DirectoryObjects> {
  const root = resolve(path)
  const temporary = join(root, temporaryFolder)
  try {
    await makeFolder(temporary)
    await removeLeftovers(temporary, now())
  } catch (error) {
    throw fileError(error, `object directory ${root} cannot be opened`, 'none')
  }
  return new DirectoryObjects(root, temporary)
}

export class DirectoryObjects implements ObjectStore {
  readonly #root: string
  readonly #temporaries: TemporaryFiles
  readonly #sync = new DirectorySync()
  readonly #folders = new Map<string, Promise<void>>()

  constructor(root: string, temporary: string) {
    this.#root = root
    const session = `${temporary}/${randomBytes(8).toString('hex')}-${process.pid}`
    let counter = 0
    this.#temporaries = new TemporaryFiles(() => `${session}-${counter++}`)
  }

  async create(key: string, bytes: Pieces): Promise<'created' | 'exists'> {
    const path = this.#path(key)
    const temporary = await this.#write(key, bytes, dirname(path))
    try {
      await this.#link(temporary, path) // COMMIT POINT: durable with the sync below
    } catch (error) {
      discard(temporary)
      if (codeOf(error) === 'EEXIST') return this.#compare(key, path, bytes)
      throw fileError(error, `object ${key} cannot be linked`, 'none')
    }
    discard(temporary)
    await this.#synced(key, path)
    return 'created'
  }

  async read(key: string, range?: ByteRange): Promise<Uint8Array> {
    const path = this.#path(key)
    if (range !== undefined) checkRange(key, range)
    try {
      const bytes = range === undefined ? readFile(path).then(plain) : readRange(key, path, range)
      return bytes instanceof Uint8Array ? bytes : await bytes
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') throw absent(key)
      throw fileError(error, `object ${key} cannot be read`, 'none')
    }
  }

  readNow(key: string, ranges: readonly RangeInto[]): readonly (Uint8Array | undefined)[] {
    try {
      const path = this.#path(key)
      return ranges.map((range) => {
        checkRange(key, range)
        return readSmall(path, range)
      })
    } catch {
      return []
    }
  }

  /** Not synced: an object that a crash brings back is an orphan again, and swept again. */
  async delete(keys: readonly string[]): Promise<void> {
    const paths = keys.map((key) => this.#path(key))
    for (let at = 0; at < paths.length; at += deletesAtOnce) {
      await Promise.all(paths.slice(at, at + deletesAtOnce).map(removeFile))
    }
    closeOpened()
  }

  async *list(prefix: string): AsyncIterable<ListedObject> {
    checkPrefix(prefix)
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
    yield* this.#walk(folder, prefix)
  }

  uri(key: string): string {
    return pathToFileURL(this.#path(key)).href
  }

  async replace(key: string, bytes: Uint8Array): Promise<void> {
    const path = this.#path(key)
    const temporary = await this.#write(key, bytes, dirname(path))
    try {
      await rename(temporary, path) // COMMIT POINT
      closeOpened()
    } catch (error) {
      discard(temporary)
      throw fileError(error, `object ${key} cannot be replaced`, 'none')
    }
    await this.#synced(key, path)
  }

  async close(): Promise<void> {
    await this.#temporaries.close()
    await this.#sync.close()
  }

  #path(key: string): string {
    checkKey(key)
    return `${this.#root}/${key}`
  }

  /** The synced bytes under a temporary name, and the folder of the key in place. */
  async #write(key: string, bytes: Pieces, folder: string): Promise<string> {
    try {
      await this.#folder(folder)
      return await this.#temporaries.write(bytes)
    } catch (error) {
      throw fileError(error, `object ${key} cannot be written`, 'none')
    }
  }

  /** A folder that was removed behind our back is made again, once. */
  async #link(temporary: string, path: string): Promise<void> {
    try {
      linkSync(temporary, path)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
      this.#folders.delete(dirname(path))
      await this.#folder(dirname(path))
      linkSync(temporary, path)
    }
  }

  async #synced(key: string, path: string): Promise<void> {
    try {
      await this.#sync.after(dirname(path))
    } catch (error) {
      throw fileError(error, `object ${key} cannot be made durable`, 'unknown')
    }
  }

  /** Whoever linked those bytes may have died before its sync: ours makes the answer durable. */
  async #compare(key: string, path: string, bytes: Pieces): Promise<'created' | 'exists'> {
    let there: Uint8Array
    try {
      there = await readFile(path)
    } catch (error) {
      throw fileError(error, `object ${key} exists and cannot be compared`, 'unknown')
    }
    if (!equalBytes(there, joined(bytes))) return 'exists'
    await this.#synced(key, path)
    return 'created'
  }

  /** Makes a folder below the root and syncs its parents; one attempt serves all who wait. */
  #folder(path: string): Promise<void> {
    const known = this.#folders.get(path)
    if (known !== undefined) return known
    if (this.#folders.size >= foldersKnownMax) this.#folders.clear()
    const made = this.#makeFolder(path)
    this.#folders.set(path, made)
    made.catch(() => this.#folders.delete(path))
    return made
  }

  async #makeFolder(path: string): Promise<void> {
    if (path === this.#root) return
    const parent = dirname(path)
    await this.#folder(parent)
    try {
      await mkdir(path)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') {
        this.#folders.delete(parent)
        await mkdir(path, { recursive: true })
      } else if (codeOf(error) !== 'EEXIST') throw error
    }
    await this.#sync.after(parent)
  }

  async *#walk(folder: string, prefix: string): AsyncIterable<ListedObject> {
    for (const { name, isFolder } of await entriesOf(`${this.#root}/${folder}`)) {
      const key = folder + name
      if (name === temporaryFolder || !(key.startsWith(prefix) || prefix.startsWith(`${key}/`))) continue
      if (isFolder) yield* this.#walk(`${key}/`, prefix)
      else {
        const bytes = await sizeOf(`${this.#root}/${key}`)
        if (bytes !== undefined) yield { key, bytes }
      }
    }
  }
}

/** In key order: a folder sorts as its name and a slash. */
async function entriesOf(path: string): Promise<readonly { name: string; isFolder: boolean }[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true })
    const named = entries.map((entry) => ({ name: entry.name, isFolder: entry.isDirectory() }))
    const order = ({ name, isFolder }: { name: string; isFolder: boolean }): string => (isFolder ? `${name}/` : name)
    return named.sort((a, b) => (order(a) < order(b) ? -1 : 1))
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return []
    throw fileError(error, `object directory ${path} cannot be listed`, 'none')
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw fileError(error, `object ${path} cannot be listed`, 'none')
  }
}

async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR')
      throw fileError(error, `object ${path} cannot be deleted`, 'unknown')
  }
}

async function removeLeftovers(temporary: string, now: number): Promise<void> {
  for (const name of await readdir(temporary)) {
    const path = join(temporary, name)
    const modified = await stat(path).then(
      (found) => found.mtimeMs,
      () => now,
    )
    if (now - modified > temporaryAgeMs) await removeFile(path)
  }
}

const plain = (buffer: Buffer): Uint8Array => new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length)
