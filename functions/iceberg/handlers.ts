/** The calls of the Iceberg REST catalog. */
import type { Handlers } from '../call.ts'
import { commit } from './commit.ts'
import * as namespaces from './namespaces.ts'
import * as tables from './tables.ts'

export const icebergHandlers: Handlers = {
  icebergConfig: namespaces.config,
  icebergNamespaces: namespaces.list,
  icebergNamespace: namespaces.describe,
  icebergNamespaceExists: namespaces.exists,
  icebergTables: tables.list,
  icebergTable: tables.load,
  icebergCommit: commit,
  icebergTableExists: tables.exists,
  icebergMetrics: tables.report,
}
