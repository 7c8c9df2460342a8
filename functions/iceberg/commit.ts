/** A commit of an engine to a table: each requirement and update in its own shape, then core/lake/commit.ts. */
import type * as z from 'zod/mini'
import { check } from '../../contract/check.ts'
import { refusedActions, requirementShapes, updateShapes } from '../../contract/iceberg-commit.ts'
import type { Schema } from '../../contract/route.ts'
import { getTable } from '../../core/catalog/tables.ts'
import { SluiceError } from '../../core/kernel/errors.ts'
import { commitToLake, type EngineCommit } from '../../core/lake/commit.ts'
import { markCollect } from '../../core/log/keep/lake-mark.ts'
import { nearest } from '../../core/model/nearest.ts'
import type { Handler } from '../call.ts'
import { metadataReply } from './tables.ts'

export const commit: Handler<'icebergCommit'> = async ({ params, value }, world) => {
  checkIdentifier(value.identifier, params)
  const requirements = value.requirements.map((each, at) => shaped(each, each.type, requirementShapes, `requirements[${at}]`))
  const updates = value.updates.map((each, at) => shaped(each, each.action, updateShapes, `updates[${at}]`))
  const table = await getTable(world, params.db, params.table)
  const { database, name, tableId, buckets } = table
  const of = { table: { database, table: name, tableId }, buckets: buckets.count }
  const typed: EngineCommit = { requirements, updates }
  return metadataReply(await commitToLake(world, table, typed, (lake) => markCollect(world, of, lake)))
}

/** A body that names a table names the one of its path. */
function checkIdentifier(
  identifier: { readonly namespace: readonly string[]; readonly name: string } | undefined,
  { db, table }: { readonly db: string; readonly table: string },
): void {
  if (identifier === undefined || (identifier.namespace.join('.') === db && identifier.name === table)) return
  throw new SluiceError('bad-request', `identifier names another table than the path, which is of ${db}.${table}`, {
    facts: { field: 'identifier' },
  })
}

type Shapes = Readonly<Record<string, Schema>>

/** In the shape that its name has; one that this catalog does not take is refused by name. */
function shaped<S extends Shapes>(value: unknown, name: string, shapes: S, where: string): z.output<S[keyof S]> {
  const shape = Object.hasOwn(shapes, name) ? shapes[name] : undefined
  if (shape !== undefined) return check(shape, value, `field of ${where} (${name}):`) as z.output<S[keyof S]>
  const shown = JSON.stringify(name.slice(0, 80))
  const why = Object.hasOwn(refusedActions, name) ? refusedActions[name] : undefined
  if (why !== undefined) throw new SluiceError('bad-request', `${where}: ${shown} is not taken: ${why}`)
  const near = nearest(name, Object.keys(shapes))
  throw new SluiceError('bad-request', `${where}: ${shown} is not known${near === undefined ? '' : `: did you mean ${near}?`}`)
}
