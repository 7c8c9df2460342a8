/**
 * The lake item of a table (partition `<tableId>`, sort `lake`), at most 1 KiB: the lake's catalog. Metadata pointer, tier
 * points and epoch change in one conditional update, so exactly-once is one write. `version` counts commits, `epoch` claims;
 * `lease` is for liveness only. A table that is dropped has `open` false, or no item, and no update creates one.
 */
import { assert } from '../../kernel/assert.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { type Label, labelPattern } from '../../kernel/ids.ts'
import type { Attributes, Item, ItemKey, ItemValue } from '../../ports/items.ts'

export interface LakeItem {
  /** Commits so far; the metadata copy of commit n is `metadata/v<n>.metadata.json`. */
  readonly version: bigint
  /** Claims so far. */
  readonly epoch: bigint
  /** ms since 1970: until then the claimant is believed to be at work. */
  readonly lease: number
  /** Random id of the last claim, so that a claimant recognises its own. */
  readonly holder: string
  /** A commit whose objects are labelled at or below it is refused. */
  readonly gc: Label
  readonly open: boolean
  /** What the last commit wrote; absent before the first. */
  readonly committed: LakeCommit | undefined
  readonly lastError: LakeFailure | undefined
  /** ms since 1970 of the last commit or failure. */
  readonly at: number
  /** ms since 1970: when the last collect mark is due that a claimant put; what is written a day before it is then old. */
  readonly collectDue: number
}

export interface LakeCommit {
  readonly metadata: ObjectRef
  readonly points: ObjectRef
  /** Iceberg snapshot id: below 2^53 where it is ours, below 2^63 where an engine made it. */
  readonly snapshotId: bigint
}

/** An object and the CRC-32 of its bytes. */
export interface ObjectRef {
  readonly key: string
  readonly crc32: number
}

export interface LakeFailure {
  readonly message: string
  /** ms since 1970. */
  readonly at: number
  /** Failures since the last success, this one included; 1 where an older build noted it. */
  readonly count: number
}

export const lakeCodecVersion = 1n
export const lastErrorBytesMax = 300

export const lakeItemKey = (tableId: string): ItemKey => ({ partition: tableId, sort: 'lake' })

/** The item of a table without a commit; goes into the transaction that creates the table. */
export function newLakeItem(tableId: string, gc: Label): Item {
  const lake = {
    version: 0n,
    epoch: 0n,
    lease: 0,
    holder: '',
    gc,
    open: true,
    committed: undefined,
    lastError: undefined,
    at: 0,
    collectDue: 0,
  }
  return { key: lakeItemKey(tableId), attributes: encodeLakeItem(lake) }
}

export function encodeLakeItem(lake: LakeItem): Attributes {
  return {
    codec: lakeCodecVersion,
    version: lake.version,
    epoch: lake.epoch,
    lease: BigInt(lake.lease),
    holder: lake.holder,
    gc: lake.gc,
    open: lake.open,
    at: BigInt(lake.at),
    ...(lake.collectDue > 0 && { collectDue: BigInt(lake.collectDue) }),
    ...(lake.committed && encodeLakeCommit(lake.committed)),
    ...(lake.lastError && encodeLakeFailure(lake.lastError)),
  }
}

export const encodeLakeCommit = (commit: LakeCommit): Attributes => ({
  metadata: commit.metadata.key,
  metadataCrc: BigInt(commit.metadata.crc32),
  points: commit.points.key,
  pointsCrc: BigInt(commit.points.crc32),
  snapshot: commit.snapshotId,
})

export const encodeLakeFailure = (failure: LakeFailure): Attributes => ({
  lastError: clip(failure.message, lastErrorBytesMax),
  lastErrorAt: BigInt(failure.at),
  failures: BigInt(failure.count),
})

/** The attributes of a failure: what a success removes. */
export const lakeFailureNames = ['lastError', 'lastErrorAt', 'failures'] as const

export function decodeLakeItem(attributes: Attributes): LakeItem {
  const read = new Reader(attributes)
  const codec = read.integer('codec')
  if (codec !== lakeCodecVersion) {
    throw new SluiceError('internal', 'the lake item was written by a newer version of sluice', {
      facts: { codec: String(codec) },
    })
  }
  const gc = read.text('gc')
  assert(labelPattern.test(gc), 'gc of a lake item is a label', { gc })
  const open = attributes['open']
  assert(typeof open === 'boolean', 'open of a lake item is a boolean')
  const version = read.integer('version')
  const committed = attributes['metadata'] === undefined ? undefined : decodeCommit(read)
  assert((version === 0n) === (committed === undefined), 'a lake item has a commit exactly if its version is above 0', {
    version: String(version),
  })
  return {
    version,
    epoch: read.integer('epoch'),
    lease: Number(read.integer('lease')),
    holder: read.text('holder'),
    gc: gc as Label,
    open,
    committed,
    lastError: attributes['lastError'] === undefined ? undefined : decodeFailure(read),
    at: Number(read.integer('at')),
    collectDue: attributes['collectDue'] === undefined ? 0 : Number(read.integer('collectDue')),
  }
}

function decodeCommit(read: Reader): LakeCommit {
  return {
    metadata: { key: read.text('metadata'), crc32: Number(read.integer('metadataCrc')) },
    points: { key: read.text('points'), crc32: Number(read.integer('pointsCrc')) },
    snapshotId: read.integer('snapshot'),
  }
}

function decodeFailure(read: Reader): LakeFailure {
  const count = read.attributes['failures'] === undefined ? 1 : Number(read.integer('failures'))
  assert(count > 0, 'a failure of a lake item has been counted')
  return { message: read.text('lastError'), at: Number(read.integer('lastErrorAt')), count }
}

class Reader {
  readonly attributes: Attributes
  constructor(attributes: Attributes) {
    this.attributes = attributes
  }
  text(name: string): string {
    const value = this.attributes[name]
    assert(typeof value === 'string', `${name} of a lake item is text`, { found: kindOf(value) })
    return value
  }
  integer(name: string): bigint {
    const value = this.attributes[name]
    assert(
      typeof value === 'bigint' && value >= 0n && value < 2n ** 63n,
      `${name} of a lake item is an integer from 0 to 2^63 - 1`,
      {
        found: kindOf(value),
      },
    )
    return value
  }
}

const kindOf = (value: ItemValue | undefined): string => (value === undefined ? 'absent' : typeof value)

/** The longest prefix of whole characters that fits into `bytesMax` bytes of UTF-8. */
function clip(text: string, bytesMax: number): string {
  let bytes = 0
  let out = ''
  for (const character of text) {
    const code = character.codePointAt(0) as number
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4
    if (bytes > bytesMax) break
    out += character
  }
  return out
}
