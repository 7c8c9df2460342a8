/** The calls of the admin function: everything that is not on the hot path. */
import type { Handlers } from '../call.ts'
import { health, metrics, openapi, version } from './about.ts'
import { cost } from './cost.ts'
import * as databases from './databases.ts'
import { home } from './home.ts'
import * as partitions from './partitions.ts'
import * as tables from './tables.ts'
import { getTier, tier } from './tier.ts'

export const adminHandlers: Handlers = {
  version,
  health,
  metrics,
  openapi,
  home,
  cost,
  listDatabases: databases.list,
  getDatabase: databases.describe,
  createDatabase: databases.create,
  alterDatabase: databases.alter,
  dropDatabase: databases.drop,
  listTables: tables.list,
  getTable: tables.describe,
  createTable: tables.create,
  alterTable: tables.alter,
  dropTable: tables.drop,
  listPartitions: partitions.list,
  createPartition: partitions.create,
  dropPartition: partitions.drop,
  getTier,
  tier,
}
