/**
 * Updates that an engine commits to keep a table in order (Iceberg REST catalog, "TableUpdate"): snapshots that replace files, expired
 * snapshots, branches, tags, properties, statistics. Pure. Whatever would change rows, columns, layout or place is refused; so
 * is every property under `sluice.`, because the tier points are there. Snapshots come in verified (core/lake/verify.ts).
 */
import { SluiceError } from '../../kernel/errors.ts'
import type { Snapshot, SnapshotRef, StatisticsFile, TableMetadata } from './metadata.ts'

export type TableUpdate =
  | { readonly action: 'assign-uuid'; readonly uuid: string }
  | { readonly action: 'upgrade-format-version'; readonly 'format-version': number }
  | { readonly action: 'set-location'; readonly location: string }
  | { readonly action: 'add-snapshot'; readonly snapshot: Snapshot }
  | ({ readonly action: 'set-snapshot-ref'; readonly 'ref-name': string } & SnapshotRef)
  | { readonly action: 'remove-snapshots'; readonly 'snapshot-ids': readonly bigint[] }
  | { readonly action: 'remove-snapshot-ref'; readonly 'ref-name': string }
  | { readonly action: 'set-properties'; readonly updates: Readonly<Record<string, string>> }
  | { readonly action: 'remove-properties'; readonly removals: readonly string[] }
  | { readonly action: 'set-statistics'; readonly statistics: StatisticsFile }
  | { readonly action: 'remove-statistics'; readonly 'snapshot-id': bigint }
  | { readonly action: 'set-partition-statistics'; readonly 'partition-statistics': StatisticsFile }
  | { readonly action: 'remove-partition-statistics'; readonly 'snapshot-id': bigint }

/** The same object where nothing changes. `now`: ms since 1970. */
export function applyUpdates(base: TableMetadata, updates: readonly TableUpdate[], now: number): TableMetadata {
  const next = updates.reduce((metadata, update) => apply(metadata, update, now), base)
  if (next === base) return base
  const dangling = Object.entries(next.refs).find(([, ref]) => !hasSnapshot(next, ref['snapshot-id']))
  if (dangling !== undefined) {
    throw refused(`remove-snapshots would leave ${dangling[0]} without its snapshot ${dangling[1]['snapshot-id']}`)
  }
  if (Object.keys(next.refs).length > refsMax) throw refused(`a table has at most ${refsMax} branches and tags`)
  if (Object.keys(next.properties).length > propertiesMax) throw refused(`a table has at most ${propertiesMax} properties`)
  return { ...next, 'last-updated-ms': Math.max(now, next['last-updated-ms'], base['last-updated-ms'] + 1) }
}

const refsMax = 1_000
const propertiesMax = 1_000
const refNameLengthMax = 200
const propertyLengthMax = 32 * 1024

function apply(metadata: TableMetadata, update: TableUpdate, now: number): TableMetadata {
  switch (update.action) {
    case 'assign-uuid':
      return unchanged(metadata, 'the uuid', update.uuid.toLowerCase() === metadata['table-uuid'])
    case 'upgrade-format-version':
      return unchanged(
        metadata,
        'the format version (but by lake.format-version=3 in PATCH of the table at /v1)',
        update['format-version'] === metadata['format-version'],
      )
    case 'set-location':
      return unchanged(metadata, 'the location', update.location.replace(/\/+$/, '') === metadata.location)
    case 'add-snapshot':
      return addSnapshot(metadata, update.snapshot, now)
    case 'set-snapshot-ref': {
      const { action: _action, 'ref-name': name, ...ref } = update
      return setRef(metadata, name, ref)
    }
    case 'remove-snapshot-ref':
      return removeRef(metadata, update['ref-name'])
    case 'remove-snapshots':
      return removeSnapshots(metadata, new Set(update['snapshot-ids']))
    case 'set-properties':
      for (const [name, value] of Object.entries(update.updates)) checkProperty(name, value)
      return { ...metadata, properties: { ...metadata.properties, ...update.updates } }
    case 'remove-properties':
      for (const name of update.removals) checkProperty(name)
      return { ...metadata, properties: without(metadata.properties, (name) => update.removals.includes(name)) }
    case 'set-statistics':
      return withStatistics(metadata, 'statistics', update.statistics['snapshot-id'], update.statistics)
    case 'remove-statistics':
      return withStatistics(metadata, 'statistics', update['snapshot-id'])
    case 'set-partition-statistics': {
      const file = update['partition-statistics']
      return withStatistics(metadata, 'partition-statistics', file['snapshot-id'], file)
    }
    case 'remove-partition-statistics':
      return withStatistics(metadata, 'partition-statistics', update['snapshot-id'])
  }
}

function unchanged(metadata: TableMetadata, what: string, isSame: boolean): TableMetadata {
  if (!isSame) throw refused(`${what} of this table cannot be changed`)
  return metadata
}

/** ms: engines' clocks are that far from ours at most. */
const aheadMsMax = 600_000
/** ms: Iceberg's own tolerance. */
const behindMsMax = 60_000
/** Engines take the next one; one that is near the end of all numbers would be the last. */
const sequenceAheadMax = 1_000

function addSnapshot(metadata: TableMetadata, snapshot: Snapshot, now: number): TableMetadata {
  const id = snapshot['snapshot-id']
  const at = snapshot['timestamp-ms']
  if (hasSnapshot(metadata, id)) throw refused(`snapshot ${id} is there already`)
  if (!metadata.schemas.some((schema) => schema['schema-id'] === snapshot['schema-id']))
    throw refused(`snapshot ${id} names schema ${snapshot['schema-id']}, which the table does not have`)
  if (snapshot['sequence-number'] <= metadata['last-sequence-number'])
    throw stale(`sequence number ${snapshot['sequence-number']} is taken, the last is ${metadata['last-sequence-number']}`)
  if (snapshot['sequence-number'] > metadata['last-sequence-number'] + sequenceAheadMax)
    throw refused(`sequence number ${snapshot['sequence-number']} is far from the last, ${metadata['last-sequence-number']}`)
  if (at > now + aheadMsMax || at < metadata['last-updated-ms'] - behindMsMax)
    throw refused(
      `snapshot ${id} was made at ${at} ms, the table was last changed at ${metadata['last-updated-ms']}: set the clock`,
    )
  return {
    ...metadata,
    ...nextRowId(metadata, snapshot),
    snapshots: [...metadata.snapshots, snapshot],
    'last-sequence-number': snapshot['sequence-number'],
    'last-updated-ms': Math.max(at, metadata['last-updated-ms']),
  }
}

/** That the ids of its manifests are within was verified (core/lake/verify.ts). */
function nextRowId(metadata: TableMetadata, snapshot: Snapshot): Pick<TableMetadata, 'next-row-id'> {
  if (metadata['format-version'] === 2) return {}
  const { 'first-row-id': first, 'added-rows': added } = snapshot
  const next = metadata['next-row-id'] ?? 0n
  if (first === undefined || added === undefined)
    throw refused(`snapshot ${snapshot['snapshot-id']} has no first-row-id and added-rows, as tables of version 3 need`)
  if (first !== next) throw stale(`row ids from ${first} on are not free, the next is ${next}`)
  return { 'next-row-id': first + added }
}

function setRef(metadata: TableMetadata, name: string, ref: SnapshotRef): TableMetadata {
  const id = ref['snapshot-id']
  if (name === '' || name.length > refNameLengthMax) throw refused(`a ref has a name of 1 to ${refNameLengthMax} characters`)
  // Iceberg's own reader then takes no table that has it.
  if (ref.type === 'tag' && (ref['min-snapshots-to-keep'] ?? ref['max-snapshot-age-ms']) !== undefined)
    throw refused(
      `ref ${name} is a tag, which keeps one snapshot: min-snapshots-to-keep and max-snapshot-age-ms are for branches`,
    )
  const snapshot = metadata.snapshots.find((each) => each['snapshot-id'] === id)
  if (snapshot === undefined) throw refused(`ref ${name} names snapshot ${id}, which the table does not have`)
  const refs = { ...metadata.refs, [name]: ref }
  if (name !== mainBranch) return { ...metadata, refs }
  if (ref.type !== 'branch') throw refused('main is a branch')
  const current = metadata['current-snapshot-id']
  if (id === current) return { ...metadata, refs }
  // Only a snapshot that was verified against the one before it takes its place: going back would lose rows.
  if (snapshot['parent-snapshot-id'] !== current) throw stale(`main is at snapshot ${current}, not at the parent of ${id}`)
  return {
    ...metadata,
    refs,
    'current-snapshot-id': id,
    'snapshot-log': [...metadata['snapshot-log'], { 'timestamp-ms': metadata['last-updated-ms'], 'snapshot-id': id }],
  }
}

export const mainBranch = 'main'

function removeRef(metadata: TableMetadata, name: string): TableMetadata {
  if (name === mainBranch) throw refused('main cannot be removed')
  if (!Object.hasOwn(metadata.refs, name)) return metadata
  return { ...metadata, refs: without(metadata.refs, (each) => each === name) }
}

/** Those that are gone already are no error: we expire snapshots too. */
export function removeSnapshots(metadata: TableMetadata, ids: ReadonlySet<bigint>): TableMetadata {
  const isGone = (each: { readonly 'snapshot-id': bigint }): boolean => ids.has(each['snapshot-id'])
  if (!metadata.snapshots.some(isGone)) return metadata
  const log = metadata['snapshot-log']
  return {
    ...metadata,
    snapshots: metadata.snapshots.filter((each) => !isGone(each)),
    // A hole would make history say that an older snapshot was current for longer than it was (specification, "snapshot-log").
    'snapshot-log': log.slice(log.findLastIndex(isGone) + 1),
    ...(metadata.statistics && { statistics: metadata.statistics.filter((each) => !isGone(each)) }),
    ...(metadata['partition-statistics'] && {
      'partition-statistics': metadata['partition-statistics'].filter((each) => !isGone(each)),
    }),
  }
}

function withStatistics(
  metadata: TableMetadata,
  kind: 'statistics' | 'partition-statistics',
  id: bigint,
  file?: StatisticsFile,
): TableMetadata {
  if (file !== undefined && !hasSnapshot(metadata, id))
    throw refused(`${kind} name snapshot ${id}, which the table does not have`)
  const others = (metadata[kind] ?? []).filter((each) => each['snapshot-id'] !== id)
  return { ...metadata, [kind]: file === undefined ? others : [...others, file] }
}

/** They would send an engine's files elsewhere, make files that we cannot read, or belong to the format. */
const keptProperties: ReadonlySet<string> = new Set([
  'format-version',
  'write.format.default',
  'write.delete.format.default',
  'write.data.path',
  'write.metadata.path',
  'write.object-storage.enabled',
  'write.object-storage.path',
  'write.folder-storage.path',
  'write.location-provider.impl',
  'schema.name-mapping.default',
])

function checkProperty(name: string, value = ''): void {
  if (name.startsWith('sluice.')) throw refused(`property ${name.slice(0, 80)} belongs to sluice`)
  if (keptProperties.has(name)) throw refused(`property ${name} of this table cannot be changed`)
  if (name === '' || name.length + value.length > propertyLengthMax)
    throw refused(`a property has 1 to ${propertyLengthMax} characters`)
}

function without<T>(record: Readonly<Record<string, T>>, isGone: (name: string) => boolean): Record<string, T> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !isGone(name)))
}

const hasSnapshot = (metadata: TableMetadata, id: bigint): boolean =>
  metadata.snapshots.some((each) => each['snapshot-id'] === id)

const refused = (why: string): SluiceError => new SluiceError('bad-request', why)
const stale = (why: string): SluiceError => new SluiceError('conflict', `${why}: load the table again`)
