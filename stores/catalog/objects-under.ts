/**
 * The object store of a table that a catalog has placed: keys relative to the table's location. A location in our own store is a
 * folder of it, and none that holds what is ours; another place on S3 is opened with the same endpoint and credentials. Anything else
 * is refused by name.
 */
import type { Pieces } from '../../core/kernel/bytes.ts'
import { SluiceError } from '../../core/kernel/errors.ts'
import type { ByteRange, ObjectStore } from '../../core/ports/objects.ts'
import { checkKey } from '../objects/key.ts'

/** `open`: the store of an `s3://` location; absent where this deployment has none on S3. */
export function objectsUnder(
  own: ObjectStore,
  open?: (bucket: string, prefix: string) => ObjectStore,
): (location: string) => ObjectStore {
  const root = own.uri('x').slice(0, -1)
  const opened = new Map<string, ObjectStore>()
  return (location) => {
    const place = location.replace(/^s3a:/, 's3:').replace(/\/+$/, '')
    const known = opened.get(place)
    if (known !== undefined) return known
    const isOurs = `${place}/`.startsWith(root) || root.startsWith(`${place}/`)
    const store = isOurs ? folderOf(own, root, place) : elsewhere(place, open)
    if (store === undefined) throw unreachable(location, root)
    if (opened.size < openedMax) opened.set(place, store)
    return store
  }
}

const openedMax = 1_000

function folderOf(own: ObjectStore, root: string, place: string): ObjectStore | undefined {
  const folder = place.slice(root.length)
  // What is below them goes with a table of ours.
  if (/^(lake|t)(\/|$)/.test(folder)) return undefined
  try {
    checkKey(`${folder}/x`)
  } catch {
    return undefined
  }
  return new Folder(own, folder)
}

function elsewhere(place: string, open: ((bucket: string, prefix: string) => ObjectStore) | undefined): ObjectStore | undefined {
  const [, bucket, prefix] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(place) ?? []
  return bucket === undefined || open === undefined ? undefined : open(bucket, prefix ?? '')
}

class Folder implements ObjectStore {
  readonly #own: ObjectStore
  readonly #folder: string
  constructor(own: ObjectStore, folder: string) {
    this.#own = own
    this.#folder = folder
  }
  create(key: string, bytes: Pieces): Promise<'created' | 'exists'> {
    return this.#own.create(this.#in(key), bytes)
  }
  read(key: string, range?: ByteRange): Promise<Uint8Array> {
    return this.#own.read(this.#in(key), range)
  }
  delete(keys: readonly string[]): Promise<void> {
    return this.#own.delete(keys.map((key) => this.#in(key)))
  }
  async *list(prefix: string): ReturnType<ObjectStore['list']> {
    for await (const { key, bytes } of this.#own.list(this.#in(prefix))) yield { key: key.slice(this.#folder.length + 1), bytes }
  }
  uri(key: string): string {
    return this.#own.uri(this.#in(key))
  }
  replace(key: string, bytes: Uint8Array): Promise<void> {
    return this.#own.replace(this.#in(key), bytes)
  }
  #in(key: string): string {
    return `${this.#folder}/${key}`
  }
}

const unreachable = (location: string, root: string): SluiceError =>
  new SluiceError(
    'bad-request',
    `the catalog keeps the table at ${JSON.stringify(location.slice(0, 200))}, where this deployment cannot write: give it a location below ${root}`,
    { action: 'stop', facts: { location: location.slice(0, 1_000), root } },
  )
