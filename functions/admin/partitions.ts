/** Partitions of a table over HTTP. A name is read with the types of its columns, and has one form. */
import { createPartition, listPartitions } from '../../core/catalog/partitions.ts'
import { getTable } from '../../core/catalog/tables.ts'
import { readPartitionName } from '../../core/format/partition/name.ts'
import { present } from '../../core/kernel/assert.ts'
import { SluiceError } from '../../core/kernel/errors.ts'
import { dropPartition } from '../../core/log/drop.ts'
import type { Table } from '../../core/model/table.ts'
import type { Handler } from '../call.ts'
import { jsonReply } from '../http/reply.ts'
import { droppedReply, pageOf } from './databases.ts'

export const list: Handler<'listPartitions'> = async ({ params, query }, world) => {
  const table = await partitioned(world, params)
  const { limit, after } = pageOf(query)
  // One more than the page says whether there is a next.
  const found = await listPartitions(world, table, { limit: limit + 1, ...(after === undefined ? {} : { after }) })
  const names = found.slice(0, limit).map(({ name }) => name)
  return jsonReply(200, { partitions: names, next: found.length > limit ? (names.at(-1) ?? null) : null })
}

export const create: Handler<'createPartition'> = async ({ params }, world) => {
  const table = await partitioned(world, params)
  checkName(table, params.partition)
  const { partition, created } = await createPartition(world, table, params.partition)
  return jsonReply(created ? 201 : 200, { partition: partition.name, createdAt: partition.createdAt, status: partition.state })
}

export const drop: Handler<'dropPartition'> = async ({ params, query }, world) => {
  const table = await partitioned(world, params)
  checkName(table, params.partition)
  return droppedReply(query.ifExists ?? false, () =>
    dropPartition(world, table, params.partition, query.keepLake === true ? 'stay' : 'go'),
  )
}

async function partitioned(
  world: Parameters<Handler<'listPartitions'>>[1],
  { db, table: name }: { readonly db: string; readonly table: string },
): Promise<Table> {
  const table = await getTable(world, db, name)
  if (table.partitionBy.length > 0) return table
  throw new SluiceError('bad-request', `table ${db}.${name} is not partitioned: create one with partitionBy`)
}

export function checkName(table: Table, name: string): void {
  const fields = table.partitionBy.map((column) =>
    present(
      table.schema.columns.find((field) => field.name === column),
      'a partition column',
    ),
  )
  readPartitionName(fields, name)
}
