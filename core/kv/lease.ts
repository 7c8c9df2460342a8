/**
 * Leases of a bucket's snapshots, in its snapshot item: while one lasts, neither the runs that a scan reads nor the changelog behind them
 * go away. It is never renewed, and a crash leaves one that runs out. At most `scanLeasesMax`, of which those whose scan is at its end,
 * then those that nobody has gone on with give way to another scan: who wants the first rows alone holds up nobody.
 */
import { decodeKvItem, encodeLease, type KvItem, kvKey, leaseAttribute, type ReadLease } from '../format/items/kv.ts'
import { SluiceError } from '../kernel/errors.ts'
import type { Offset } from '../kernel/ids.ts'
import { limits } from '../kernel/limits.ts'
import { type BucketRef, idOf } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import { decide } from '../ports/decide.ts'
import type { World } from '../ports/world.ts'
import { bearKvItem, readKvItem } from './item.ts'

const attemptsMax = 4

/** Of the newest snapshot. `start`: of the log. Errors: `throttled`: the bucket has as many scans as it may; `unavailable`. */
export async function takeLease(world: World, table: Table, at: BucketRef, id: string, start: Offset): Promise<KvItem> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const seen = (await readKvItem(world, table.tableId, idOf(at))) ?? (await bearKvItem(world, table, at, start))
    if (seen === undefined) continue
    const now = world.clock.now()
    const left = leftFor(seen, now)
    if (left === undefined) throw tooManyScans(at.bucket, seen, now)
    const { manifest, upTo, rows } = seen
    const lease = { manifest, upTo, rows, until: now + limits.scanLeaseMs, isEnded: false, isHeld: false }
    const update = {
      key: kvKey(table.tableId, idOf(at)),
      set: { [leaseAttribute(id)]: { value: encodeLease(lease) } },
      ...(left.length > 0 && { remove: left.map(leaseAttribute) }),
      condition: { is: 'equal', path: 'v', value: seen.version },
    } as const
    const item = await decide(world, update, decodeKvItem, (found) => found.leases.has(id)).catch(async (error) => {
      await dropLease(world, table, at, id).catch(runsOut)
      throw error
    })
    if (item !== undefined) return { ...item, manifest, upTo, rows }
  }
  throw new SluiceError('unavailable', `the snapshot of bucket ${at.bucket} keeps changing: try again`)
}

/** Those that leave when another comes: what ran out, then of the ended the oldest, then of those that nobody holds. Undefined: there is no place. */
function leftFor({ leases }: KvItem, now: number): readonly string[] | undefined {
  const left: string[] = []
  const yielding: (readonly [string, ReadLease])[] = []
  for (const [id, lease] of leases) {
    if (lease.until < now) left.push(id)
    else if (lease.isEnded || !lease.isHeld) yielding.push([id, lease])
  }
  yielding.sort(([, a], [, b]) => Number(b.isEnded) - Number(a.isEnded) || a.until - b.until)
  const more = leases.size - left.length - (limits.scanLeasesMax - 1)
  if (more > yielding.length) return undefined
  return [...left, ...yielding.slice(0, Math.max(0, more)).map(([id]) => id)]
}

/** Of a scan that came to its end: its last page can be asked for again until another scan needs the place. */
export async function endLease(world: World, table: Table, at: BucketRef, id: string): Promise<void> {
  await mark(world, table, at, id, 'isEnded')
}

/** Of a scan that somebody has gone on with. False: it had given way before. */
export const holdLease = (world: World, table: Table, at: BucketRef, id: string): Promise<boolean> =>
  mark(world, table, at, id, 'isHeld')

async function mark(world: World, table: Table, at: BucketRef, id: string, as: 'isEnded' | 'isHeld'): Promise<boolean> {
  const lease = (await readKvItem(world, table.tableId, idOf(at)))?.leases.get(id)
  if (lease === undefined || lease[as]) return lease !== undefined
  const { done } = await world.items.update({
    key: kvKey(table.tableId, idOf(at)),
    set: { [leaseAttribute(id)]: { value: encodeLease({ ...lease, [as]: true }) } },
    condition: { is: 'exists', path: leaseAttribute(id) },
  })
  return done
}

/** Of a scan that nobody can go on with. */
export async function dropLease(world: World, table: Table, at: BucketRef, id: string): Promise<void> {
  await world.items.update({
    key: kvKey(table.tableId, idOf(at)),
    remove: [leaseAttribute(id)],
    condition: { is: 'exists', path: leaseAttribute(id) },
  })
}

/** A lease that could not be given back runs out by itself. */
export const runsOut = (): void => undefined

function tooManyScans(bucket: number, { leases }: KvItem, now: number): SluiceError {
  const first = Math.min(...[...leases.values()].map(({ until }) => until))
  const seconds = Math.max(1, Math.ceil((first - now) / 1_000))
  return new SluiceError(
    'throttled',
    `bucket ${bucket} has ${limits.scanLeasesMax} scans that are not at their end: follow their cursors to the end, give them back with end=true, or try again in ${seconds} s`,
    { facts: { bucket, retryAfterSeconds: seconds } },
  )
}
