/** Engines that commit to the external table meanwhile, each change whole: a snapshot of the same files, a property, an expiry. */
import { decodeManifests, encodeManifestList } from '../../../core/lake/iceberg/manifest.ts'
import { assignRowIds } from '../../../core/lake/iceberg/row-lineage.ts'
import { type ExternalView, keyIn, there, viewOf } from '../checks/external.ts'
import type { Stage } from '../stage.ts'

export async function commitForeign(stage: Stage, isWorking: () => boolean): Promise<void> {
  const { cluster, random, swarm, stores } = stage
  for (let i = 0; i < swarm.foreignCommits && isWorking(); i++) {
    await cluster.sleep(random.magnitude(5, Math.max(1_000, 4 * swarm.thinkMs)))
    const view = viewOf(stores)
    if (view === undefined) continue
    const updates = random.pick([snapshotUpdates, propertyUpdates, expireUpdates])(stage, view, i)
    if (updates.length > 0) stores.catalog.commit(there, { requirements: [], updates })
  }
}

function snapshotUpdates({ random, stores }: Stage, view: ExternalView, number: number): readonly object[] {
  const { main, metadata } = view
  const list = main === undefined ? undefined : stores.objects.objects.get(keyIn(main['manifest-list']))
  const snapshotId = BigInt(number) + 2n ** 62n
  const sequence = BigInt(metadata['last-sequence-number']) + 1n
  const parentId = main?.['snapshot-id']
  const formatVersion = metadata['format-version']
  const before = list === undefined ? [] : decodeManifests(list)
  const { manifests, rowIds } = assignRowIds(before, metadata['next-row-id'] ?? 0n)
  const bytes = encodeManifestList(manifests, { snapshotId, parentId, sequence, random, formatVersion })
  const uri = `${metadata.location}/metadata/snap-${snapshotId}-foreign.avro`
  stores.objects.create(keyIn(uri), bytes)
  const snapshot = {
    'snapshot-id': snapshotId,
    ...(parentId !== undefined && { 'parent-snapshot-id': parentId }),
    'sequence-number': Number(sequence),
    'timestamp-ms': 1,
    'manifest-list': uri,
    summary: { operation: 'replace' },
    'schema-id': metadata['current-schema-id'],
    ...(formatVersion === 3 && { 'first-row-id': rowIds.first, 'added-rows': rowIds.added }),
  }
  // Some are on a branch of their own: what matters is that sequence numbers go on.
  const branch = random.chance(0.3) ? 'audit' : 'main'
  return [
    { action: 'add-snapshot', snapshot },
    { action: 'set-snapshot-ref', 'ref-name': branch, type: 'branch', 'snapshot-id': snapshotId },
  ]
}

const propertyUpdates = (_stage: Stage, _view: ExternalView, number: number): readonly object[] => [
  { action: 'set-properties', updates: { owner: `engine ${number}` } },
]

function expireUpdates({ random }: Stage, { metadata, main }: ExternalView): readonly object[] {
  const old = metadata.snapshots.filter((each) => each['snapshot-id'] !== main?.['snapshot-id'] && random.chance(0.7))
  return old.length === 0 ? [] : [{ action: 'remove-snapshots', 'snapshot-ids': old.map((each) => each['snapshot-id']) }]
}
