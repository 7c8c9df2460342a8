/**
 * The snapshot item of a keyed bucket, beside the head (sort `k`), at most 1 KiB: m manifest {o object, n bytes, c CRC-32}, absent
 * before the first fold · u up to which offset it has the changelog · n rows there · v version, one more at each publication · e epoch ·
 * l lease, ms · h holder · g gc · r<id> {m, u, n, x, d} read leases: an older snapshot, until when it stays, ms, and whether its scan is
 * at its end (absent: no). Whatever can make a run reachable goes through this item, so its `gc` fences late folds as a head's does late
 * appends.
 */
import { assert } from '../../kernel/assert.ts'
import { type Label, labelOf, labelPattern, type Offset, offsetOf } from '../../kernel/ids.ts'
import type { BucketId } from '../../model/partition.ts'
import type { Attributes, Item, ItemKey, ItemValue } from '../../ports/items.ts'
import type { ObjectPlace } from '../run/manifest.ts'
import { headKey } from './head.ts'

export interface ManifestRef {
  readonly object: ObjectPlace
  readonly bytes: number
  readonly crc: number
}

export interface Snapshot {
  readonly manifest: ManifestRef | undefined
  /** The runs have the changelog below it. */
  readonly upTo: Offset
  /** Live rows at `upTo`. */
  readonly rows: bigint
}

export interface ReadLease extends Snapshot {
  /** ms since 1970 */
  readonly until: number
  /** Its scan came to its end: it is there for a repeat of the last page, and gives way to another scan. */
  readonly isEnded: boolean
  /** Somebody went on with the scan: it gives way to no other. */
  readonly isHeld: boolean
}

export interface KvItem extends Snapshot {
  /** Publications so far. */
  readonly version: bigint
  /** Claims so far. */
  readonly epoch: bigint
  /** ms since 1970: until then the claimant is believed to be at work. */
  readonly lease: number
  /** Random id of the last claim, so that a claimant recognises its own. */
  readonly holder: string
  /** What is labelled at or below it cannot be published. */
  readonly gc: Label
  /** At most `scanLeasesMax`, so that the item stays below 1 KiB. */
  readonly leases: ReadonlyMap<string, ReadLease>
}

export const kvKey = (tableId: string, at: BucketId): ItemKey => ({ partition: headKey(tableId, at).partition, sort: 'k' })

/** `floor`: where the bucket's offsets begin. */
export function newKvItem(tableId: string, at: BucketId, { gc, floor }: { readonly gc: Label; readonly floor: Offset }): Item {
  return { key: kvKey(tableId, at), attributes: { u: floor, n: 0n, v: 0n, e: 0n, l: 0n, h: '', g: gc } }
}

export const leaseAttribute = (id: string): string => `r${id}`

export const encodeSnapshot = ({ manifest, upTo, rows }: Snapshot): Readonly<Record<'u' | 'n', bigint>> & Attributes => ({
  u: upTo,
  n: rows,
  ...(manifest === undefined ? {} : { m: encodeRef(manifest) }),
})

export const encodeLease = (lease: ReadLease): ItemValue => ({
  ...encodeSnapshot(lease),
  x: BigInt(lease.until),
  ...(lease.isEnded && { d: true }),
  ...(lease.isHeld && { k: true }),
})

export function decodeKvItem(item: Item): KvItem {
  const a = item.attributes
  const holder = a['h']
  const gc = a['g']
  assert(typeof holder === 'string' && typeof gc === 'string' && labelPattern.test(gc), 'a snapshot item is whole', {
    key: item.key,
  })
  const leases = new Map<string, ReadLease>()
  for (const [name, value] of Object.entries(a)) {
    if (name.length < 2 || name[0] !== 'r') continue
    const lease = value as Attributes
    const [isEnded, isHeld] = [lease['d'] === true, lease['k'] === true]
    leases.set(name.slice(1), { ...decodeSnapshot(lease), until: Number(integer(lease, 'x')), isEnded, isHeld })
  }
  return {
    ...decodeSnapshot(a),
    version: integer(a, 'v'),
    epoch: integer(a, 'e'),
    lease: Number(integer(a, 'l')),
    holder,
    gc: gc as Label,
    leases,
  }
}

/** What the item keeps from being deleted: its own snapshot, and those that are leased at `now`. */
export const snapshotsIn = (item: KvItem, now: number): readonly Snapshot[] => [
  item,
  ...[...item.leases.values()].filter(({ until }) => until + leaseSlackMs >= now),
]

/** Clocks are within 5 minutes of each other. */
export const leaseSlackMs = 600_000

/** Below it the changelog may go: every snapshot that may be read has it. */
export const keptFrom = (item: KvItem, now: number): Offset =>
  snapshotsIn(item, now).reduce<Offset>((least, { upTo }) => (upTo < least ? upTo : least), item.upTo)

function decodeSnapshot(a: Attributes): Snapshot {
  const m = a['m']
  return {
    manifest: m === undefined ? undefined : decodeRef(m as Attributes),
    upTo: offsetOf(integer(a, 'u')),
    rows: integer(a, 'n'),
  }
}

/** Of an object of the table. */
export const nameOf = ({ directory, label, random, inline }: ObjectPlace): string =>
  `${directory.toString(16).padStart(2, '0')}/${label}-${random}${inline ? 'i' : ''}`

const encodeRef = ({ object, bytes, crc }: ManifestRef): ItemValue => ({
  o: nameOf(object),
  n: BigInt(bytes),
  c: BigInt(crc),
})

function decodeRef(a: Attributes): ManifestRef {
  const place = typeof a['o'] === 'string' ? /^([0-9a-f]{2})\/([0-9a-f]{12})-([0-9a-f]{16})(i?)$/.exec(a['o']) : null
  assert(place !== null, 'a snapshot item names its manifest')
  const [, directory = '', label = '', random = '', inline] = place
  const object = {
    directory: Number.parseInt(directory, 16),
    label: labelOf(Number.parseInt(label, 16)),
    random,
    inline: inline === 'i',
  }
  return { object, bytes: Number(integer(a, 'n')), crc: Number(integer(a, 'c')) }
}

function integer(attributes: Attributes, name: string): bigint {
  const value = attributes[name]
  assert(typeof value === 'bigint', 'a snapshot item has its integers', { name })
  return value
}
