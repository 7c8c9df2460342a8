/**
 * The data directory of the embedded mode: `objects/`, `items.db` and `path.json`, which records where the directory lay
 * when it was made. Iceberg metadata holds absolute paths, so a directory that was moved is refused, naming both places.
 * A crash while it is made leaves a directory that the next open completes.
 */
import { randomBytes } from 'node:crypto'
import { link, open, readFile, realpath, unlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { SluiceError } from '../core/kernel/errors.ts'
import { makeFolder } from './objects/directory-sync.ts'
import { codeOf, fileError } from './objects/file-error.ts'

export interface DataDirectory {
  readonly path: string
  readonly objects: string
  readonly items: string
}

export async function openDataDirectory(path: string): Promise<DataDirectory> {
  try {
    await makeFolder(resolve(path))
    const real = await realpath(path)
    const recorded = (await recordedPath(real)) ?? (await recordPath(real))
    if (recorded !== real) throw moved(recorded, real)
    return { path: real, objects: join(real, 'objects'), items: join(real, 'items.db') }
  } catch (error) {
    throw fileError(error, `data directory ${path} cannot be opened`, 'none')
  }
}

async function recordedPath(real: string): Promise<string | undefined> {
  const file = join(real, 'path.json')
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
  const recorded = parse(text)
  if (recorded === undefined) throw new SluiceError('internal', `${file} is damaged: it should be {"version":1,"path":"…"}`)
  return recorded
}

/** The first process to link the file decides. */
async function recordPath(real: string): Promise<string> {
  const temporary = join(real, `path.json~${randomBytes(8).toString('hex')}`)
  const file = await open(temporary, 'wx')
  try {
    await file.writeFile(`${JSON.stringify({ version: 1, path: real })}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  try {
    await link(temporary, join(real, 'path.json')) // COMMIT POINT
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  } finally {
    await unlink(temporary)
  }
  return (await recordedPath(real)) ?? real
}

function parse(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || !('version' in value) || !('path' in value)) return undefined
    return value.version === 1 && typeof value.path === 'string' ? value.path : undefined
  } catch {
    return undefined
  }
}

function moved(from: string, to: string): SluiceError {
  const message = `data directory ${to} was made at ${from}, and its lake metadata names files there: move it back to ${from}, or use an empty directory`
  return new SluiceError('not-supported', message, { action: 'stop', facts: { from, to } })
}
