/**
 * The lake item's updates: claim, renew, release, commit. Each is one conditional update that holds only for what its caller saw,
 * so an ambiguous attempt is repeated unchanged until its outcome is definite, and a refusal is read for one's own trace before
 * it is believed. The lease is for liveness alone; the epoch inside every later update is what keeps a superseded worker out.
 */
import {
  decodeLakeItem,
  encodeLakeCommit,
  encodeLakeFailure,
  type LakeCommit,
  type LakeItem,
  lakeFailureNames,
  lakeItemKey,
} from '../format/items/lake.ts'
import { type Label, labelOf, labelTime, randomId } from '../kernel/ids.ts'
import { decideUpdate } from '../ports/decide.ts'
import type { Condition, ItemStore, SetAction, Update } from '../ports/items.ts'
import type { World } from '../ports/world.ts'

/** Strongly read; undefined where the table has no lake, or was dropped. */
export async function readLakeItem(items: ItemStore, tableId: string): Promise<LakeItem | undefined> {
  const item = await items.get(lakeItemKey(tableId))
  return item === undefined ? undefined : decodeLakeItem(item.attributes)
}

/** What became of an update of the lake item. `gone`: the table is being dropped · `lost`: another was faster. */
export type LakeOutcome =
  | { readonly is: 'done'; readonly lake: LakeItem }
  | { readonly is: 'gone' }
  /** `isAmbiguous`: an attempt of ours may have been done before. */
  | { readonly is: 'lost'; readonly lake: LakeItem; readonly isAmbiguous: boolean }

export interface ClaimOptions {
  /** Of the collect mark that stands for what the claimant will write, which was put before. ms since 1970. */
  readonly collectDue?: number
  /** Also from one who works on it. */
  readonly evenIfHeld?: boolean
}

/** Takes over a lake that nobody works on and that is as `seen`. From here on no earlier claimant can commit. */
export async function claimLake(
  world: World,
  tableId: string,
  seen: LakeItem,
  { collectDue = seen.collectDue, evenIfHeld = false }: ClaimOptions = {},
): Promise<LakeOutcome> {
  const holder = randomId(world.random)
  const now = world.clock.now()
  const isFree: Condition = { is: 'less', path: 'lease', value: BigInt(now) }
  return decide(
    world.items,
    {
      key: lakeItemKey(tableId),
      set: {
        epoch: { value: seen.epoch + 1n },
        holder: { value: holder },
        lease: { value: BigInt(now + leaseMs) },
        collectDue: { value: BigInt(collectDue) },
      },
      condition: and(isOpen, equal('epoch', seen.epoch), equal('version', seen.version), ...(evenIfHeld ? [] : [isFree])),
    },
    (lake) => lake.epoch === seen.epoch + 1n && lake.holder === holder,
  )
}

export async function renewLake(world: World, tableId: string, mine: LakeItem): Promise<LakeOutcome> {
  const lease = world.clock.now() + leaseMs
  return decide(
    world.items,
    { key: lakeItemKey(tableId), set: { lease: { value: BigInt(lease) } }, condition: and(isOpen, equal('epoch', mine.epoch)) },
    () => false,
  )
}

/** Ends a claim, so that the next trigger need not wait for the lease. */
export async function releaseLake(world: World, tableId: string, mine: LakeItem): Promise<void> {
  await world.items.update({ key: lakeItemKey(tableId), set: { lease: { value: 0n } }, condition: equal('epoch', mine.epoch) })
}

/** One failure more than as `seen`, until the next commit or idle run, unless another has claimed the lake since. */
export async function noteFailure(world: World, tableId: string, seen: LakeItem, message: string): Promise<void> {
  const now = world.clock.now()
  const set: Record<string, SetAction> = { at: { value: BigInt(now) } }
  for (const [name, value] of Object.entries(encodeLakeFailure({ message, at: now, count: (seen.lastError?.count ?? 0) + 1 })))
    set[name] = { value }
  await world.items.update({ key: lakeItemKey(tableId), set, condition: equal('epoch', seen.epoch) })
}

export async function clearFailure(world: World, tableId: string, seen: LakeItem): Promise<void> {
  await world.items.update({
    key: lakeItemKey(tableId),
    remove: lakeFailureNames,
    condition: and(equal('epoch', seen.epoch), equal('version', seen.version)),
  })
}

/**
 * Points the lake at a commit. `label`: the smallest label among the commit's objects. Refused, and without any effect, unless
 * the lake is as `mine`, the claim is the last and nothing labelled so late has been collected. Errors: `unknown` stays unknown;
 * the caller deletes nothing, and the next claimant finds out.
 */
export async function commitLakeItem(
  world: World,
  tableId: string,
  mine: LakeItem,
  commit: LakeCommit,
  label: Label,
): Promise<LakeOutcome> {
  const now = world.clock.now()
  const set: Record<string, SetAction> = {
    version: { value: mine.version + 1n },
    lease: { value: BigInt(now + leaseMs) },
    at: { value: BigInt(now) },
  }
  for (const [name, value] of Object.entries(encodeLakeCommit(commit))) set[name] = { value }
  return decide(
    world.items,
    {
      key: lakeItemKey(tableId),
      set,
      remove: lakeFailureNames,
      condition: and(isOpen, equal('version', mine.version), equal('epoch', mine.epoch), {
        is: 'less',
        path: 'gc',
        value: label,
      }),
    }, // COMMIT POINT
    (lake) => lake.epoch === mine.epoch && lake.committed?.points.key === commit.points.key,
  )
}

/**
 * Points the lake at metadata that an engine's commit made of what `seen` names. The points, and with them the epoch and whoever has
 * claimed the lake, stay as they are: a claimant finds the version changed and builds on the new one. `collectDue`: as of a claim.
 */
export async function commitMetadata(
  world: World,
  tableId: string,
  seen: LakeItem,
  commit: LakeCommit,
  { label, collectDue }: { readonly label: Label; readonly collectDue: number },
): Promise<LakeOutcome> {
  const set: Record<string, SetAction> = {
    version: { value: seen.version + 1n },
    at: { value: BigInt(world.clock.now()) },
    collectDue: { value: BigInt(collectDue) },
  }
  for (const [name, value] of Object.entries(encodeLakeCommit(commit))) set[name] = { value }
  return decide(
    world.items,
    {
      key: lakeItemKey(tableId),
      set,
      condition: and(isOpen, equal('version', seen.version), { is: 'less', path: 'gc', value: label }),
    }, // COMMIT POINT
    (lake) => lake.committed?.metadata.key === commit.metadata.key,
  )
}

/** For what is written at `now`, ms since 1970: above what the lake refuses, so that a slow clock is not refused for ever. */
export const nextLabel = (now: number, gc: Label): Label => labelOf(Math.max(now, labelTime(gc) + 1))

export const leaseMs = 60_000

async function decide(items: ItemStore, update: Update, isOurs: (lake: LakeItem) => boolean): Promise<LakeOutcome> {
  const { isDone, found, isAmbiguous } = await decideUpdate(items, update, ({ attributes }) => decodeLakeItem(attributes), isOurs)
  if (found === undefined) return { is: 'gone' }
  if (isDone) return { is: 'done', lake: found }
  return found.open ? { is: 'lost', lake: found, isAmbiguous } : { is: 'gone' }
}

const isOpen: Condition = { is: 'equal', path: 'open', value: true }
const equal = (path: string, value: bigint): Condition => ({ is: 'equal', path, value })
const and = (...all: readonly Condition[]): Condition => ({ is: 'and', all })
