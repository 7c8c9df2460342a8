/** Configuration and namespaces of the Iceberg REST catalog: a namespace of one level is a database. */
import { icebergEndpoints } from '../../contract/iceberg.ts'
import { getDatabase, listDatabases } from '../../core/catalog/databases.ts'
import { SluiceError } from '../../core/kernel/errors.ts'
import { databaseName } from '../../core/model/names.ts'
import type { Handler } from '../call.ts'
import { emptyReply, jsonReply } from '../http/reply.ts'
import { pageOf } from './pages.ts'

export const config: Handler<'icebergConfig'> = async () =>
  jsonReply(200, { defaults: {}, overrides: {}, endpoints: icebergEndpoints })

export const list: Handler<'icebergNamespaces'> = async ({ query }, world) => {
  if (query.parent !== undefined && query.parent !== '') {
    await getDatabase(world, namespaceName(query.parent))
    return jsonReply(200, { namespaces: [], 'next-page-token': null })
  }
  const { names, next } = await pageOf(query, databaseName, (page) => listDatabases(world, page))
  return jsonReply(200, { namespaces: names.map((name) => [name]), 'next-page-token': next })
}

export const describe: Handler<'icebergNamespace'> = async ({ params }, world) => {
  const { name } = await getDatabase(world, params.db)
  return jsonReply(200, { namespace: [name], properties: {} })
}

export const exists: Handler<'icebergNamespaceExists'> = async ({ params }, world) => {
  await getDatabase(world, params.db)
  return emptyReply(204)
}

/** Levels of a namespace are joined by the unit separator. */
function namespaceName(text: string): string {
  if (text.includes('\u001f')) throw new SluiceError('not-found', 'namespaces have one level here: a database')
  return databaseName(text)
}
