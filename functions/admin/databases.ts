/** Databases over HTTP. */
import { unknownField } from '../../contract/check.ts'
import { createDatabase, getDatabase, listDatabases } from '../../core/catalog/databases.ts'
import { isSluiceError } from '../../core/kernel/errors.ts'
import { limits } from '../../core/kernel/limits.ts'
import { dropDatabase } from '../../core/log/drop.ts'
import type { Handler, Reply } from '../call.ts'
import { emptyReply, jsonReply } from '../http/reply.ts'

export const list: Handler<'listDatabases'> = async ({ query }, world) => {
  const { names, next } = await listDatabases(world, pageOf(query))
  return jsonReply(200, { databases: names, next })
}

/** The page that a list call asks for. */
export function pageOf(query: { readonly limit?: number | undefined; readonly after?: string | undefined }): {
  limit: number
  after?: string
} {
  return { limit: query.limit ?? limits.listLimitDefault, ...(query.after === undefined ? {} : { after: query.after }) }
}

export const describe: Handler<'getDatabase'> = async ({ params }, world) =>
  databaseReply(200, await getDatabase(world, params.db))

export const create: Handler<'createDatabase'> = async ({ params }, world) => {
  const { database, created } = await createDatabase(world, params.db)
  return databaseReply(created ? 201 : 200, database)
}

export const alter: Handler<'alterDatabase'> = async ({ params, value }, world) => {
  const [option] = Object.keys(value.setOptions ?? {})
  if (option !== undefined) throw unknownField('option', [], option, [])
  return databaseReply(200, await getDatabase(world, params.db))
}

export const drop: Handler<'dropDatabase'> = async ({ params, query }, world) => {
  const reply = await droppedReply(query.ifExists ?? false, () =>
    dropDatabase(world, params.db, { cascade: query.cascade ?? false }),
  )
  world.tables.forgetAll()
  return reply
}

/** 204 gone, 202 repeat it, 404 absent unless that is what the caller wants. */
export async function droppedReply(ifExists: boolean, dropping: () => Promise<'gone' | 'closing'>): Promise<Reply> {
  try {
    return emptyReply((await dropping()) === 'gone' ? 204 : 202)
  } catch (error) {
    if (ifExists && isSluiceError(error, 'not-found')) return emptyReply(204)
    throw error
  }
}

function databaseReply(status: number, database: Awaited<ReturnType<typeof getDatabase>>): Reply {
  return jsonReply(status, { name: database.name, createdAt: database.createdAt, status: database.state })
}
