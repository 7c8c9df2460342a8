/** What a story knows of its table: how it is and was, and the naive map of each bucket. */
import { findPartition } from '../../catalog/partitions.ts'
import type { Plain } from '../../format/arrow/batch.case.ts'
import { present } from '../../kernel/assert.ts'
import { type BucketRef, unpartitioned } from '../../model/partition.ts'
import type { Table } from '../../model/table.ts'
import type { World } from '../../ports/world.ts'
import { Naive, type NaiveRules, type NaiveSchema } from './bucket.case.ts'
import type { Drawn } from './table.case.ts'

export const partitionsOfStory = ['x', 'y']

export class State {
  readonly world: World
  /** As it is. */
  table: Table
  /** As processes know it that have not looked for long: of each change of its columns the table before. */
  readonly older: Table[] = []
  /** By partition and bucket. */
  readonly models = new Map<string, Naive>()
  /** Of the primary key, in the order of the columns at the beginning. */
  readonly keyIds: readonly number[]
  /** Keys that are used. */
  readonly pool: (readonly Plain[])[] = []
  /** By column; of the others the default. */
  readonly #aggs: ReadonlyMap<number, string>
  readonly #schemas = new Map<number, NaiveSchema>()

  constructor(world: World, table: Table, { body, buckets, aggs }: Drawn) {
    this.world = world
    this.table = table
    const { columns } = table.schema
    this.#aggs = new Map(
      columns.flatMap(({ id, name }) => (aggs.has(name) ? [[id, present(aggs.get(name), 'its function')]] : [])),
    )
    this.keyIds = columns.filter(({ name }) => table.primaryKey?.includes(name)).map(({ id }) => id)
    const { options } = body
    const rules: NaiveRules = {
      engine: options?.['merge-engine'] ?? '',
      image: options?.['changelog.image'] ?? '',
      deletes: options?.['delete.behavior'] ?? undefined,
      version: columns.find(({ name }) => name === 'version')?.id,
    }
    for (const partition of table.partitionBy.length > 0 ? partitionsOfStory.map((value) => `p=${value}`) : [''])
      for (let i = 0; i < buckets; i++) this.models.set(`${partition}#${i}`, new Naive(rules))
  }

  /** Undefined: it aggregates nothing. */
  aggOf(table: Table, id: number): string | undefined {
    const isAggregated = table.options.keyed?.mergeEngine === 'aggregation'
    return isAggregated ? (this.#aggs.get(id) ?? 'last_value_ignore_nulls') : undefined
  }

  schemaOf(table: Table): NaiveSchema {
    const { schema, primaryKey } = table
    const known = this.#schemas.get(schema.schemaId)
    if (known !== undefined) return known
    const columns = schema.columns.map(({ id, name, type, autoIncrement }) => ({
      id,
      type,
      isKey: primaryKey?.includes(name) === true,
      agg: this.aggOf(table, id) ?? 'last_value',
      isDrawn: autoIncrement === true,
    }))
    const made = { id: schema.schemaId, columns }
    this.#schemas.set(schema.schemaId, made)
    return made
  }

  modelAt(at: string): Naive {
    return present(this.models.get(at), 'the model of a bucket')
  }

  /** Undefined: no row has made its partition yet. */
  async bucketOf(at: string): Promise<BucketRef | undefined> {
    const [name = '', bucket] = at.split('#')
    if (name === '') return { partition: unpartitioned, bucket: Number(bucket) }
    const partition = await findPartition(this.world, this.table, name)
    return partition && { partition, bucket: Number(bucket) }
  }
}
