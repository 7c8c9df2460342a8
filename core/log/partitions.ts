/**
 * The partitions that this process knows, found or created once and kept. A kept one may be gone: its heads are closed then, so a
 * commit or a read is refused, and whoever is refused forgets it and asks again. Absence is never kept.
 */
import { createPartition, findPartition, getPartition, listPartitions } from '../catalog/partitions.ts'
import { SluiceError } from '../kernel/errors.ts'
import { limits } from '../kernel/limits.ts'
import { mapAtOnce } from '../kernel/parallel.ts'
import { checkPeriod, periodsOf } from '../model/auto-partition.ts'
import { quoted } from '../model/nearest.ts'
import { type Partition, unpartitioned } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import type { World } from '../ports/world.ts'

const keptMax = 50_000
/** How long after it was made a partition may be unknown to who reads a table. */
const listKeptMs = 1_000
const listsMax = 100
const openedAtOnceMax = 16

interface KeptList {
  readonly partitions: readonly Partition[]
  readonly until: number
}

export class Partitions {
  readonly #world: World
  readonly #kept = new Map<string, Promise<Partition>>()
  readonly #lists = new Map<string, KeptList>()

  constructor(world: World) {
    this.#world = world
  }

  /** Those that are missing are created. Errors: those of createPartition. */
  async open(table: Table, names: ReadonlySet<string>): Promise<ReadonlyMap<string, Partition>> {
    await this.#checkPeriods(table, names)
    const found = new Map<string, Partition>()
    const waiting = [...names]
    const open = async (name: string): Promise<void> => {
      found.set(name, await this.#get(table, name, async () => (await createPartition(this.#world, table, name)).partition))
    }
    while (waiting.length > 0) await Promise.all(waiting.splice(0, openedAtOnceMax).map(open))
    return found
  }

  /** Errors: `not-found`, `bad-request` (a name for a table without partitions, or none for one with). */
  async find(table: Table, name: string): Promise<Partition> {
    const isNamed = name !== ''
    if (isNamed !== table.partitionBy.length > 0) {
      throw new SluiceError(
        'bad-request',
        isNamed
          ? `${table.database}.${table.name} is not partitioned: leave out partition=${quoted(name)}`
          : `${table.database}.${table.name} is partitioned: name one with partition=`,
        { facts: { parameter: 'partition' } },
      )
    }
    return this.#get(table, name, () => getPartition(this.#world, table, name))
  }

  /**
   * In the order of their names. `kept`: as they were at most a second ago. Those that are being dropped too: a partition leaves a
   * reader when its heads are closed, which every process sees, or it would come back where one knows of the drop and another does not.
   */
  async list(table: Table, age: 'fresh' | 'kept'): Promise<readonly Partition[]> {
    if (table.partitionBy.length === 0) return [unpartitioned]
    const now = this.#world.clock.now()
    const kept = this.#lists.get(table.tableId)
    if (age === 'kept' && kept !== undefined && now < kept.until && kept.until <= now + listKeptMs) return kept.partitions
    const partitions = await listPartitions(this.#world, table, { limit: limits.listLimitMax })
    if (this.#lists.size >= listsMax) this.#lists.clear()
    this.#lists.set(table.tableId, { partitions, until: now + listKeptMs })
    return partitions
  }

  forget(table: Table, name: string): void {
    this.#kept.delete(`${table.tableId}/${name}`)
    this.#lists.delete(table.tableId)
  }

  /** All before any is created, so that what is refused makes none. */
  async #checkPeriods(table: Table, names: ReadonlySet<string>): Promise<void> {
    if (periodsOf(table) === undefined) return
    const unknown = [...names].filter((name) => !this.#kept.has(`${table.tableId}/${name}`))
    const absent = await mapAtOnce(
      unknown,
      openedAtOnceMax,
      async (name) => (await findPartition(this.#world, table, name)) === undefined,
    )
    for (const [i, name] of unknown.entries()) if (absent[i] === true) checkPeriod(table, name, this.#world.clock.now())
  }

  async #get(table: Table, name: string, look: () => Promise<Partition>): Promise<Partition> {
    if (table.partitionBy.length === 0) return unpartitioned
    const key = `${table.tableId}/${name}`
    const kept = this.#kept.get(key)
    if (kept !== undefined) return kept
    if (this.#kept.size >= keptMax) this.#kept.clear()
    const looking = look()
    this.#kept.set(key, looking)
    looking.catch(() => {
      if (this.#kept.get(key) === looking) this.#kept.delete(key)
    })
    return looking
  }
}
