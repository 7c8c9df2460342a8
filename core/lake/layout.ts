/**
 * Where a lake keeps its objects. Everything a round writes carries the round's label and a random part, so no two writers meet
 * under one key; `metadata/v<n>.metadata.json` is the exception: a copy of what the lake item already names as commit n.
 */
import { crc32 } from 'node:zlib'
import { SluiceError } from '../kernel/errors.ts'
import { type Label, labelOf, randomId } from '../kernel/ids.ts'
import type { Random } from '../kernel/random.ts'
import type { ObjectStore } from '../ports/objects.ts'

export const lakeFolder = (tableId: string): string => `lake/${tableId}`

export const dataKey = (tableId: string, label: Label, random: Random): string =>
  `${lakeFolder(tableId)}/data/${label}-${randomId(random)}.parquet`
/** Its name has the CRC-32 of its bytes, which are copied on when manifests are merged. */
export const manifestKey = (tableId: string, label: Label, random: Random, bytes: Uint8Array): string =>
  `${lakeFolder(tableId)}/metadata/${label}-${randomId(random)}-${crcText(crc32(bytes))}-m0.avro`
export const manifestListKey = (tableId: string, snapshotId: bigint, label: Label, random: Random): string =>
  `${lakeFolder(tableId)}/metadata/snap-${snapshotId}-${label}-${randomId(random)}.avro`
export const stagedKey = (tableId: string, label: Label, random: Random): string =>
  `${lakeFolder(tableId)}/staged/${label}-${randomId(random)}.metadata.json`
export const pointsKey = (tableId: string, label: Label, random: Random): string =>
  `${lakeFolder(tableId)}/points/${label}-${randomId(random)}.json`
export const externalKey = (tableId: string, label: Label, random: Random): string =>
  `${lakeFolder(tableId)}/external/${label}-${randomId(random)}.json`

export const publishedKey = (tableId: string, version: bigint): string =>
  `${lakeFolder(tableId)}/metadata/v${version}.metadata.json`
/** What the catalog shows before the first commit: by label and id of the table, so that it is collected once there are commits. */
export const emptyKey = (
  table: { readonly tableId: string; readonly createdAt: number },
  schemaId: number,
  formatVersion: 2 | 3,
): string =>
  `${lakeFolder(table.tableId)}/staged/${labelOf(table.createdAt)}-${table.tableId}-empty${formatVersion === 3 ? '-v3' : ''}-${schemaId}.metadata.json`
export const isEmptyKey = (key: string): boolean => /-empty(-v3)?-[0-9]+\.metadata\.json$/.test(key)
export const hintKey = (tableId: string): string => `${lakeFolder(tableId)}/metadata/version-hint.text`

/** The CRC-32 that a manifest's name says; undefined for a manifest that is not ours. */
export function manifestCrc(key: string): number | undefined {
  const [, crc] = /\/metadata\/[0-9a-f]{12}-[0-9a-f]{16}-([0-9a-f]{8})-m0\.avro$/.exec(key) ?? []
  return crc === undefined ? undefined : Number.parseInt(crc, 16)
}

/** The label in a name of ours; undefined for a published copy, and for what others wrote. */
export function labelOfKey(key: string): Label | undefined {
  const [, label] = /\/(?:snap-[0-9]+-)?([0-9a-f]{12})-[0-9a-f]{16}[-.][^/]+$/.exec(key) ?? []
  return label as Label | undefined
}

export function publishedVersion(key: string): bigint | undefined {
  const [, version] = /\/metadata\/v([0-9]+)\.metadata\.json$/.exec(key) ?? []
  return version === undefined ? undefined : BigInt(version)
}

export const isDataKey = (key: string): boolean => key.includes('/data/')
/** The metadata or the points of a commit. */
export const isStagedKey = (key: string): boolean => key.includes('/staged/') || key.includes('/points/')

const crcText = (crc: number): string => crc.toString(16).padStart(8, '0')

/** In our spelling: Hadoop's paths, and so Spark's, say `file:/x` where others say `file:///x`. */
export const plainUri = (uri: string): string => uri.replace(/^([a-z]+):\/(?!\/)/, '$1:///')

/** The key of an object that the lake's own files name by URI. Refused where the store has moved since. */
export function keyOfUri(objects: ObjectStore, tableId: string, spelled: string): string {
  const uri = plainUri(spelled)
  const at = uri.lastIndexOf(`${lakeFolder(tableId)}/`)
  const key = at < 0 ? uri : uri.slice(at)
  if (at < 0 || objects.uri(key) !== uri) {
    throw new SluiceError(
      'internal',
      `the lake was written to ${uri} but its objects are now at ${objects.uri(key)}: move them back`,
      {
        action: 'stop',
        facts: { written: uri, now: objects.uri(key) },
      },
    )
  }
  return key
}
