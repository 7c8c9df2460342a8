/**
 * New files under temporary names, and bytes into them, durable when it resolves. A file system may let a new name wait until
 * its journal has committed, so a few files are open before they are needed; the write carries its own sync. So an append
 * waits once for its bytes instead of four times. Closing touches the page cache alone and is done here and now.
 */
import { closeSync, constants, fdatasync, open, unlinkSync, writev } from 'node:fs'
import { promisify } from 'node:util'
import { lengthOf, type Pieces } from '../../core/kernel/bytes.ts'

/** Each write is a sync as well. Elsewhere than on Linux the flag is weaker than a sync, or missing. */
const writesSynced = process.platform === 'linux'
const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (writesSynced ? constants.O_DSYNC : 0)
const readyMax = 2
/** Well below the age at which another process that opens the directory takes a temporary file for a left-over. */
const readyMsMax = 600_000

const openFile = promisify(open)
const write = promisify(writev)
const datasync = promisify(fdatasync)

interface TemporaryFile {
  readonly path: string
  readonly file: number
  /** performance.now() */
  readonly openedAt: number
}

/** `nameOf` gives a path that nobody has had. */
export class TemporaryFiles {
  readonly #nameOf: () => string
  readonly #ready: Promise<TemporaryFile | undefined>[] = []
  #isClosed = false

  constructor(nameOf: () => string) {
    this.#nameOf = nameOf
  }

  /** The path of a file of its own that holds these bytes, synced. A failed write leaves no file. */
  async write(bytes: Pieces): Promise<string> {
    const { path, file } = await this.#take()
    try {
      await writeAll(file, bytes instanceof Uint8Array ? [bytes] : bytes)
      if (!writesSynced) await datasync(file)
    } catch (error) {
      discard(path)
      throw error
    } finally {
      closeSync(file)
      this.#prepare()
    }
    return path
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const opened of await Promise.all(this.#ready.splice(0))) if (opened !== undefined) abandon(opened)
  }

  async #take(): Promise<TemporaryFile> {
    for (let ready = this.#ready.shift(); ready !== undefined; ready = this.#ready.shift()) {
      const opened = await ready
      if (opened === undefined) continue
      if (performance.now() - opened.openedAt < readyMsMax) return opened
      abandon(opened)
    }
    return this.#open()
  }

  async #open(): Promise<TemporaryFile> {
    const path = this.#nameOf()
    return { path, file: await openFile(path, flags, 0o644), openedAt: performance.now() }
  }

  #prepare(): void {
    if (!this.#isClosed && this.#ready.length < readyMax) this.#ready.push(this.#open().catch(() => undefined))
  }
}

function abandon({ path, file }: TemporaryFile): void {
  closeSync(file)
  discard(path)
}

/** What is left lies where no listing shows it, and goes with the next open. */
export function discard(temporary: string): void {
  try {
    unlinkSync(temporary)
  } catch {
    // Absent or held: removeLeftovers takes it.
  }
}

/** A write that comes short goes on from there. */
async function writeAll(file: number, pieces: readonly Uint8Array[]): Promise<void> {
  let left = pieces
  for (let bytes = lengthOf(pieces); bytes > 0; ) {
    const { bytesWritten } = await write(file, left)
    bytes -= bytesWritten
    if (bytes > 0) left = after(left, bytesWritten)
  }
}

function after(pieces: readonly Uint8Array[], written: number): readonly Uint8Array[] {
  let skip = written
  const first = pieces.findIndex((piece) => {
    if (skip < piece.length) return true
    skip -= piece.length
    return false
  })
  return first < 0 ? [] : [(pieces[first] as Uint8Array).subarray(skip), ...pieces.slice(first + 1)]
}
