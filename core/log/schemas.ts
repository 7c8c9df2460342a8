/**
 * Schemas that rows were written under, by id: that of the table at hand, else one that was superseded, read once and kept. With
 * the columns that records of a keyed table's log have besides.
 */
import { readSchema } from '../catalog/tables.ts'
import { SluiceError } from '../kernel/errors.ts'
import { logSchemaOf } from '../model/changelog.ts'
import type { Schema, Table } from '../model/table.ts'
import type { World } from '../ports/world.ts'

const keptMax = 1_000

export class Schemas {
  readonly #world: World
  readonly #kept = new Map<string, Promise<Schema | undefined>>()

  constructor(world: World) {
    this.#world = world
  }

  /** Errors: `changed`: rows of a newer schema than that of the table at hand are there, so read the table again. */
  async of(table: Table, schemaId: number): Promise<Schema> {
    return logSchemaOf(table, await this.ofTable(table, schemaId))
  }

  /** As the table had it. Errors: as `of`. */
  async ofTable(table: Table, schemaId: number): Promise<Schema> {
    if (schemaId === table.schema.schemaId) return table.schema
    const key = `${table.tableId}/${schemaId}`
    const looking = this.#kept.get(key) ?? this.#look(key, table, schemaId)
    const schema = await looking
    if (schema !== undefined && schemaId < table.schema.schemaId) return schema
    throw new SluiceError('changed', `the columns of ${table.database}.${table.name} have changed: describe it again`, {
      action: 'refresh',
      facts: { schemaId },
    })
  }

  #look(key: string, table: Table, schemaId: number): Promise<Schema | undefined> {
    if (this.#kept.size >= keptMax) this.#kept.clear()
    const looking = readSchema(this.#world, table, schemaId)
    this.#kept.set(key, looking)
    const forget = (schema?: Schema): void => {
      if (schema === undefined && this.#kept.get(key) === looking) this.#kept.delete(key)
    }
    looking.then(forget, () => forget())
    return looking
  }
}
