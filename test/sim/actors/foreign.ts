/** Engines that commit to the external table meanwhile, each change whole: a snapshot of the same files, properties, an expiry. */
import { decodeManifests, encodeManifestList, type ManifestFile } from '../../../core/lake/iceberg/manifest.ts'
import { assignRowIds } from '../../../core/lake/iceberg/row-lineage.ts'
import { type ExternalView, keyIn, there, viewOf } from '../checks/external.ts'
import type { Stores } from '../product.ts'
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
  const [first, ...others] = before
  const rewritten = first === undefined || number % 2 > 0 ? before : [renamed(stores, first, number), ...others]
  const { manifests, rowIds } = assignRowIds(rewritten, metadata['next-row-id'] ?? 0n)
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

/** A manifest as the engine's own from here on, so that both kinds merge. */
function renamed({ objects }: Stores, manifest: ManifestFile, number: number): ManifestFile {
  const bytes = objects.objects.get(keyIn(manifest.manifest_path))
  if (bytes === undefined) return manifest
  const uri = `${manifest.manifest_path.slice(0, manifest.manifest_path.lastIndexOf('/'))}/engine-${number}-m0.avro`
  objects.create(keyIn(uri), bytes)
  return { ...manifest, manifest_path: uri }
}

/** Whether manifests merge, and how soon. */
const propertyUpdates = (_stage: Stage, _view: ExternalView, number: number): readonly object[] => [
  {
    action: 'set-properties',
    updates: {
      owner: `engine ${number}`,
      'commit.manifest-merge.enabled': String(number % 5 < 4),
      'commit.manifest.min-count-to-merge': String(2 + (number % 3)),
    },
  },
]

function expireUpdates({ random }: Stage, { metadata, main }: ExternalView): readonly object[] {
  const old = metadata.snapshots.filter((each) => each['snapshot-id'] !== main?.['snapshot-id'] && random.chance(0.7))
  return old.length === 0 ? [] : [{ action: 'remove-snapshots', 'snapshot-ids': old.map((each) => each['snapshot-id']) }]
}
