/**
 * Keeps small log objects as items: `t/<tableId>/<2 hex>/<label>-<random>i` lies under partition
 * `<tableId>#inline#<2 hex>#<hour>`, sort `<label>-<random>i`, hour = floor(label ms / 3,600,000). Keys decide, not sizes.
 * A listing finds them through markers, one item for each (2 hex, hour) in `<tableId>#inline`, put before the first object
 * there: once a process and hour. So no inline object is ever without its marker, whatever crashes in between.
 */

import { equalBytes, joined, type Pieces } from '../../core/kernel/bytes.ts'
import type { Clock } from '../../core/kernel/clock.ts'
import { SluiceError } from '../../core/kernel/errors.ts'
import { labelTime } from '../../core/kernel/ids.ts'
import { limits } from '../../core/kernel/limits.ts'
import type { Item, ItemKey, ItemStore, UpdateResult } from '../../core/ports/items.ts'
import type { ByteRange, ListedObject, ObjectStore, RangeInto } from '../../core/ports/objects.ts'
import { absent, checkKey, checkPrefix, checkRange, outOfRange } from '../objects/key.ts'
import { InlineReads } from './inline-reads.ts'

const inlineKey = /^t\/([0-9a-f]{16})\/([0-9a-f]{2})\/([0-9a-f]{12})-[0-9a-f]{16}i$/
const tablePrefix = /^t\/([0-9a-f]{16})\/(.*)$/
const hourMs = 3_600_000
/** Older hours are marked at every create, and their markers may go when nothing is left there. */
const markedHoursMax = 24
/** Below the two days after which the second purge of a dropped table looks for the last time. */
const markerKeptHours = 36
const markersKnownMax = 16_384
const pageItems = 200
const deletesAtOnce = 16

export interface InlineStores {
  readonly objects: ObjectStore
  readonly items: ItemStore
  readonly clock: Clock
  /** SqliteItems: the create joins the next write transaction of this process. */
  readonly createDeferred?: (item: Item) => UpdateResult
}

export function inlineObjects(stores: InlineStores): ObjectStore {
  return new InlineObjects(stores)
}

class InlineObjects implements ObjectStore {
  readonly #objects: ObjectStore
  readonly #items: ItemStore
  readonly #clock: Clock
  readonly #create: (item: Item) => Promise<UpdateResult>
  readonly #reads: InlineReads
  readonly #marked = new Map<string, Promise<void>>()

  constructor({ objects, items, clock, createDeferred }: InlineStores) {
    this.#objects = objects
    this.#items = items
    this.#clock = clock
    this.#create = createDeferred === undefined ? (item) => items.create(item) : async (item) => createDeferred(item)
    this.#reads = new InlineReads(items)
  }

  async create(key: string, pieces: Pieces): Promise<'created' | 'exists'> {
    const place = placeOf(key)
    if (place === undefined) return this.#objects.create(key, pieces)
    const bytes = joined(pieces)
    if (bytes.length > limits.inlineObjectBytesMax) {
      throw new SluiceError('internal', `inline object ${key} has ${bytes.length} bytes, over ${limits.inlineObjectBytesMax}`)
    }
    await this.#markNow(place)
    const result = await this.#create({ key: place.item, attributes: { b: bytes } }) // COMMIT POINT
    // a listing that found the old hour empty just before may have taken the marker since
    if (this.#isOld(place)) await this.#mark(place)
    return result.done || (result.item !== undefined && equalBytes(bodyOf(result.item), bytes)) ? 'created' : 'exists'
  }

  read(key: string, range?: ByteRange): Promise<Uint8Array> {
    const place = placeOf(key)
    return place === undefined ? this.#objects.read(key, range) : this.#readInline(key, place, range)
  }

  readNow(key: string, ranges: readonly RangeInto[]): readonly (Uint8Array | undefined)[] {
    return placeOf(key) === undefined ? (this.#objects.readNow?.(key, ranges) ?? []) : []
  }

  async #readInline(key: string, place: Place, range: ByteRange | undefined): Promise<Uint8Array> {
    if (range !== undefined) checkRange(key, range)
    const item = await this.#reads.read(place.item)
    if (item === undefined) throw absent(key)
    const bytes = bodyOf(item)
    if (range === undefined) return bytes
    if (range.end > bytes.length) throw outOfRange(key, range, bytes.length)
    return bytes.subarray(range.start, range.end)
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) checkKey(key)
    const inline = keys.flatMap((key) => placeOf(key) ?? [])
    const others = keys.filter((key) => placeOf(key) === undefined)
    for (let at = 0; at < inline.length; at += deletesAtOnce) {
      await Promise.all(inline.slice(at, at + deletesAtOnce).map(({ item }) => this.#items.delete(item)))
    }
    if (others.length > 0) await this.#objects.delete(others)
  }

  async *list(prefix: string): AsyncIterable<ListedObject> {
    checkPrefix(prefix)
    const [, table, rest] = tablePrefix.exec(prefix) ?? []
    if (table === undefined || rest === undefined) {
      if ('t/'.startsWith(prefix) || prefix.startsWith('t/'))
        throw new SluiceError('internal', `a listing of ${prefix || 'all'} must name a table`)
      yield* this.#objects.list(prefix)
    } else yield* merged(this.#objects.list(prefix), this.#listInline(table, prefix))
  }

  uri(key: string): string {
    const place = placeOf(key)
    return place === undefined ? this.#objects.uri(key) : `item:${place.item.partition}/${place.item.sort}`
  }

  async replace(key: string, bytes: Uint8Array): Promise<void> {
    if (placeOf(key) !== undefined) throw new SluiceError('internal', `inline object ${key} is immutable`)
    return this.#objects.replace(key, bytes)
  }

  /** A process may be frozen while it waits, until the marker that it put has gone as one of an empty old hour: it puts it again. */
  async #markNow(place: Place): Promise<void> {
    for (let begun = Number.NEGATIVE_INFINITY; this.#clock.now() - begun > hourMs; ) {
      begun = this.#clock.now()
      await this.#mark(place)
    }
  }

  #isOld(place: Place): boolean {
    return nowHour(this.#clock) - place.hour > markedHoursMax
  }

  #mark(place: Place): Promise<void> {
    const { partition } = place.item
    const isOld = this.#isOld(place)
    const known = isOld ? undefined : this.#marked.get(partition)
    if (known !== undefined) return known
    const marked = this.#create({ key: markerOf(place), attributes: {} }).then(() => undefined)
    if (isOld) return marked
    if (this.#marked.size >= markersKnownMax) this.#marked.clear()
    this.#marked.set(partition, marked)
    marked.catch(() => this.#marked.delete(partition))
    return marked
  }

  /** Markers in order are keys in order: 2 hex, hour, label. */
  async *#listInline(table: string, prefix: string): AsyncIterable<ListedObject> {
    for await (const marker of pages(this.#items, `${table}#inline`)) {
      const [shard = '', hour = ''] = marker.key.sort.split('#')
      const folder = `t/${table}/${shard}/`
      if (!(folder.startsWith(prefix) || prefix.startsWith(folder))) continue
      let found = 0
      for await (const item of pages(this.#items, `${table}#inline#${shard}#${Number(hour)}`)) {
        found++
        const key = folder + item.key.sort
        if (key.startsWith(prefix)) yield { key, bytes: bodyOf(item).length }
      }
      if (found === 0 && nowHour(this.#clock) - Number(hour) > markerKeptHours) await this.#items.delete(marker.key)
    }
  }
}

interface Place {
  readonly table: string
  readonly shard: string
  readonly hour: number
  readonly item: ItemKey
}

function placeOf(key: string): Place | undefined {
  if (!key.endsWith('i')) return undefined
  const [, table, shard, label] = inlineKey.exec(key) ?? []
  if (table === undefined || shard === undefined || label === undefined) return undefined
  const hour = Math.floor(labelTime(label) / hourMs)
  const sort = key.slice(key.lastIndexOf('/') + 1)
  return { table, shard, hour, item: { partition: `${table}#inline#${shard}#${hour}`, sort } }
}

/** 9 digits hold the hour of every 12-digit label. */
function markerOf({ table, shard, hour }: Place): ItemKey {
  return { partition: `${table}#inline`, sort: `${shard}#${String(hour).padStart(9, '0')}` }
}

function bodyOf(item: Item): Uint8Array {
  const body = item.attributes['b']
  if (body instanceof Uint8Array) return body
  throw new SluiceError('internal', `inline object ${item.key.sort} is damaged`, { facts: { partition: item.key.partition } })
}

async function* pages(items: ItemStore, partition: string): AsyncIterable<Item> {
  for (let from: string | undefined = ''; from !== undefined; ) {
    const page: readonly Item[] = await items.query({ partition, from, limit: pageItems })
    yield* page
    const last = page.length < pageItems ? undefined : page.at(-1)
    from = last === undefined ? undefined : `${last.key.sort}\0`
  }
}

/** Two listings in key order as one. */
async function* merged(left: AsyncIterable<ListedObject>, right: AsyncIterable<ListedObject>): AsyncIterable<ListedObject> {
  const [a, b] = [left[Symbol.asyncIterator](), right[Symbol.asyncIterator]()]
  try {
    let [x, y] = [await a.next(), await b.next()]
    while (x.done !== true || y.done !== true) {
      if (y.done === true || (x.done !== true && x.value.key < y.value.key)) {
        yield x.value
        x = await a.next()
      } else {
        yield y.value
        y = await b.next()
      }
    }
  } finally {
    await Promise.all([a.return?.(), b.return?.()])
  }
}

const nowHour = (clock: Clock): number => Math.floor(clock.now() / hourMs)
