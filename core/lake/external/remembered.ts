/**
 * What the lake item of a table in an external catalog points at instead of metadata: which table it was, and at which state. JSON,
 * immutable, `lake/<tableId>/external/<label>-<random>.json`.
 */
import { crc32 } from 'node:zlib'
import type { LakeItem } from '../../format/items/lake.ts'
import { utf8, utf8Text } from '../../kernel/bytes.ts'
import { SluiceError } from '../../kernel/errors.ts'
import type { Label } from '../../kernel/ids.ts'
import type { Random } from '../../kernel/random.ts'
import type { ObjectStore } from '../../ports/objects.ts'
import { externalKey } from '../layout.ts'
import { readChecked } from '../objects.ts'
import type { ExternalTable } from './answer.ts'

export interface Remembered {
  readonly uuid: string
  readonly location: string
  readonly metadataLocation: string | null
}

const codecVersion = 1

export function rememberedObject(
  tableId: string,
  { uuid, location, metadataLocation }: ExternalTable,
  { label, random }: { readonly label: Label; readonly random: Random },
): { readonly key: string; readonly bytes: Uint8Array; readonly crc32: number } {
  const bytes = utf8(JSON.stringify({ version: codecVersion, uuid, location, metadataLocation: metadataLocation ?? null }))
  return { key: externalKey(tableId, label, random), bytes, crc32: crc32(bytes) }
}

/** Undefined before the first commit. */
export async function readRemembered(objects: ObjectStore, { committed }: LakeItem): Promise<Remembered | undefined> {
  if (committed === undefined) return undefined
  const { version, ...remembered } = JSON.parse(utf8Text(await readChecked(objects, committed.metadata))) as Remembered & {
    readonly version: number
  }
  if (version === codecVersion) return remembered
  throw new SluiceError('internal', `what is known of an external table was written by a newer version of sluice (${version})`)
}
