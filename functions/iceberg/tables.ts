/**
 * Tables of the Iceberg REST catalog. A load answers the committed metadata to the byte, so that no number in it passes through a
 * double; where only the snapshots of refs are wanted it is parsed and printed exactly.
 */
import { media } from '../../contract/media.ts'
import { getDatabase } from '../../core/catalog/databases.ts'
import { getTable, listLakeTables } from '../../core/catalog/tables.ts'
import { utf8 } from '../../core/kernel/bytes.ts'
import { lakeVersion, loadLake } from '../../core/lake/catalog.ts'
import { decodeMetadata, type EmptyMetadata, encodeMetadata } from '../../core/lake/iceberg/metadata.ts'
import { tableName } from '../../core/model/names.ts'
import type { Handler, Reply } from '../call.ts'
import { emptyReply, jsonReply } from '../http/reply.ts'
import type { FunctionWorld } from '../world.ts'
import { pageOf } from './pages.ts'

export const list: Handler<'icebergTables'> = async ({ params, query }, world) => {
  await getDatabase(world, params.db)
  const { names, next } = await pageOf(query, tableName, (page) => listLakeTables(world, params.db, page))
  return jsonReply(200, { identifiers: names.map((name) => ({ namespace: [params.db], name })), 'next-page-token': next })
}

export const load: Handler<'icebergTable'> = async ({ params, query, headers }, world) => {
  const table = await getTable(world, params.db, params.table)
  const wanted = query.snapshots ?? 'all'
  const known = headers['if-none-match']
  if (known !== undefined) {
    const etag = etagOf((await lakeVersion(world, table)).key, wanted)
    if (isAmong(known, etag)) return emptyReply(304, { ETag: etag })
  }
  const { key, uri, metadata } = await loadLake(world, table)
  const shown = wanted === 'all' ? metadata : encodeMetadata(withSnapshotsOfRefs(decodeMetadata(metadata)))
  return tableReply(world, { uri, metadata: shown, etag: etagOf(key, wanted) })
}

export const exists: Handler<'icebergTableExists'> = async ({ params }, world) => {
  await lakeVersion(world, await getTable(world, params.db, params.table))
  return emptyReply(204)
}

/** Taken, as the specification wants it, and not kept. */
export const report: Handler<'icebergMetrics'> = async ({ params }, world) => {
  await lakeVersion(world, await getTable(world, params.db, params.table))
  return emptyReply(204)
}

interface Shown {
  readonly uri: string
  /** JSON */
  readonly metadata: Uint8Array
  readonly etag: string
}

function tableReply({ engineOptions }: FunctionWorld, { uri, metadata, etag }: Shown): Reply {
  const headers = { 'Content-Type': media.json, ETag: etag }
  return { status: 200, headers, body: [located(uri), metadata, utf8(`,"config":${JSON.stringify(engineOptions)}}`)] }
}

/** After a commit. */
export function metadataReply({ uri, metadata }: Pick<Shown, 'uri' | 'metadata'>): Reply {
  return { status: 200, headers: { 'Content-Type': media.json }, body: [located(uri), metadata, utf8('}')] }
}

const located = (uri: string): Uint8Array => utf8(`{"metadata-location":${JSON.stringify(uri)},"metadata":`)

function withSnapshotsOfRefs(metadata: EmptyMetadata): EmptyMetadata {
  const named = new Set(Object.values(metadata.refs).map((ref) => ref['snapshot-id']))
  return { ...metadata, snapshots: metadata.snapshots.filter((snapshot) => named.has(snapshot['snapshot-id'])) }
}

/** A key names the same bytes for ever, and its last part is the random one. */
function etagOf(key: string, snapshots: 'all' | 'refs'): string {
  const [name = ''] = key.slice(key.lastIndexOf('/') + 1).split('.')
  return `"${name}-${snapshots}"`
}

/** If-None-Match compares weakly, and proxies weaken tags. */
function isAmong(header: string, etag: string): boolean {
  return header.split(',', 64).some((each) => each.trim().replace(/^W\//, '') === etag || each.trim() === '*')
}
