/**
 * A copy of a bucket's newest manifest, beside its snapshot item (sort `m`): o the manifest's name, as the snapshot item has it · v version
 * of that snapshot · b its bytes, in a form that is small enough (run/brief.ts). A reader who knows nothing reads it with the snapshot item,
 * and then need not wait for the manifest. It is written after a fold and may be older: it counts only where the snapshot item has its name.
 */
import { assert } from '../../kernel/assert.ts'
import type { BucketId } from '../../model/partition.ts'
import type { Item, ItemKey } from '../../ports/items.ts'
import { headKey } from './head.ts'

export interface ManifestCopy {
  readonly name: string
  readonly version: bigint
  readonly bytes: Uint8Array
}

export const manifestCopyKey = (tableId: string, at: BucketId): ItemKey => ({
  partition: headKey(tableId, at).partition,
  sort: 'm',
})

export const encodeManifestCopy = ({ name, version, bytes }: ManifestCopy) => ({ o: name, v: version, b: bytes })

export function decodeManifestCopy({ key, attributes: { o, v, b } }: Item): ManifestCopy {
  assert(typeof o === 'string' && typeof v === 'bigint' && b instanceof Uint8Array, 'a copy of a manifest is whole', { key })
  return { name: o, version: v, bytes: b }
}
