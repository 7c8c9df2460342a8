/**
 * The lake of a table with partitions, judged at every commit and at the end: a row comes once, stays what it was, and leaves only
 * while its partition is being dropped with its rows; once such a partition is gone, none of its rows is there, and none comes back;
 * what the log of a partition has below its tier points is there.
 */
import { decodeHead, headKey } from '../../../core/format/items/head.ts'
import { decodeLakeItem, lakeItemKey } from '../../../core/format/items/lake.ts'
import { decodePartition, partitionKey, partitionsOf } from '../../../core/format/items/partition.ts'
import { pointAt } from '../../../core/format/items/points.ts'
import type { Partition } from '../../../core/model/partition.ts'
import type { Schema } from '../../../core/model/table.ts'
import type { Attributes, ItemKey } from '../../../core/ports/items.ts'
import { readBucket } from '../reader.ts'
import type { Stage } from '../stage.ts'
import { checkSnapshots, readExternal } from './external.ts'
import { type Lake, readLake } from './lake.ts'

/** Of a row that may be in no lake: no offset is so great. */
const anyOffset = 2n ** 63n

const schema: Schema = {
  schemaId: 1,
  columns: [
    { id: 4, name: 'v', type: { kind: 'bigint' }, nullable: false },
    { id: 5, name: 's', type: { kind: 'string' }, nullable: true },
    { id: 6, name: 'p', type: { kind: 'string' }, nullable: false },
  ],
}

interface Row {
  readonly value: bigint
  readonly timestamp: number
}

export class PartitionLake {
  readonly #stage: Stage
  readonly #tableId: string
  /** What the current snapshot has: `<name>#<bucket>` → offset → row. */
  #rows = new Map<string, Map<bigint, Row>>()
  /** By name: rows below it went with their partition. */
  readonly #emptied = new Map<string, bigint>()

  constructor(stage: Stage) {
    this.#stage = stage
    this.#tableId = stage.tables.at(-1)?.tableId ?? ''
    const { items } = stage.stores
    const watching = items.onWrite
    items.onWrite = (key, before, after, author) => {
      watching(key, before, after, author)
      if (key.partition === partitionsOf(this.#tableId)) this.#seePartition(key, before, after)
      const isLake = key.partition === this.#tableId && key.sort === lakeItemKey(this.#tableId).sort
      if (isLake && !stage.swarm.external) this.#seeLake(before, after)
    }
    stage.stores.catalog.onCommit = () => this.#seeCommit()
  }

  /** Buckets whose rows are not all in the lake. */
  behind(partitions: readonly Partition[]): readonly string[] {
    const { stores, swarm } = this.#stage
    const points = this.#read()?.points ?? new Map()
    const behind: string[] = []
    for (const { id, name } of partitions) {
      for (let bucket = 0; bucket < swarm.buckets; bucket++) {
        const item = stores.items.get(headKey(this.#tableId, { partition: id, bucket }), 'plain')
        const head = item === undefined ? undefined : decodeHead(item)
        if (head === undefined || head.end === head.start) continue
        if ((pointAt(points, { partition: id, bucket })?.offset ?? -1n) < head.end) behind.push(`${name}#${bucket}`)
      }
    }
    return behind
  }

  /** When the lake has caught up with the partitions that there are. */
  check(partitions: readonly Partition[]): void {
    const { stores, swarm, history } = this.#stage
    if (swarm.external) checkSnapshots(history, stores)
    for (const { id, name, floor } of partitions) {
      for (let bucket = 0; bucket < swarm.buckets; bucket++) {
        const log = readBucket(stores, this.#tableId, bucket, schema, undefined, id)
        const rows = [...(this.#rows.get(`${name}#${bucket}`) ?? [])].filter(([offset]) => offset >= floor)
        const found = new Map(rows)
        const values = log?.values ?? []
        for (const [i, value] of values.entries()) {
          const offset = (log?.start ?? 0n) + BigInt(i)
          const row = found.get(offset)
          if (row?.value !== value || row.timestamp !== log?.times[i])
            return history.break(
              'G8',
              'tier',
              `offset ${offset} of ${name}#${bucket} is ${value} in the log and ${row?.value ?? 'absent'} in the lake`,
            )
        }
        if (found.size !== values.length)
          history.break('G8', 'tier', `the lake has ${found.size} rows of ${name}#${bucket}, the log ${values.length}`)
      }
    }
  }

  /** The name is freed only when the lake has none of its rows; those of the next partition begin at its floor. */
  #seePartition(key: ItemKey, before: Attributes | undefined, after: Attributes | undefined): void {
    const { name } = decodePartition({ key, attributes: before ?? after ?? {} })
    if (after === undefined && before !== undefined) {
      const gone = decodePartition({ key, attributes: before })
      if (gone.lakeRows === 'first') this.#checkWhole(gone)
      if (gone.lakeRows !== 'go') return
      this.#emptied.set(name, anyOffset)
      const left = [...this.#rows].filter(([place, rows]) => place.startsWith(`${name}#`) && rows.size > 0)
      if (left.length > 0)
        this.#stage.history.break(
          'G8',
          'drop',
          `${name} is gone, and its rows are in the lake: ${left.map(([place]) => place).join(', ')}`,
        )
    } else if (before === undefined && after !== undefined && this.#emptied.get(name) === anyOffset) {
      this.#emptied.set(name, decodePartition({ key, attributes: after }).floor)
    }
  }

  /** Retention drops what the lake has whole. */
  #checkWhole({ id, name, floor }: Partition): void {
    const { stores, swarm, history } = this.#stage
    for (let bucket = 0; swarm.lake && bucket < swarm.buckets; bucket++) {
      const item = stores.items.get(headKey(this.#tableId, { partition: id, bucket }), 'plain')
      const end = item === undefined ? floor : decodeHead(item).end
      const rows = [...(this.#rows.get(`${name}#${bucket}`)?.keys() ?? [])].filter((offset) => offset >= floor)
      if (BigInt(rows.length) !== end - floor)
        history.break(
          'G8',
          'retain',
          `${name}#${bucket} is gone at ${end}, and ${rows.length} of its rows from ${floor} are in the lake`,
        )
    }
  }

  #seeLake(before: Attributes | undefined, after: Attributes | undefined): void {
    if (before === undefined || after === undefined) return
    if (decodeLakeItem(before).version !== decodeLakeItem(after).version) this.#seeCommit()
  }

  #read(): Lake | undefined {
    const { stores, swarm } = this.#stage
    return swarm.external ? readExternal(stores) : readLake(stores, this.#tableId)
  }

  #seeCommit(): void {
    const rows = this.#readRows()
    for (const [place, had] of this.#rows) {
      const lost = [...had.keys()].filter((offset) => !rows.get(place)?.has(offset))
      if (lost.length > 0 && !this.#isBeingEmptied(place.slice(0, place.indexOf('#'))))
        this.#stage.history.break('G8', 'tier', `a commit takes offset ${lost[0]} of ${place} out of the lake`)
    }
    this.#rows = rows
  }

  #readRows(): Map<string, Map<bigint, Row>> {
    const { history } = this.#stage
    const rows = new Map<string, Map<bigint, Row>>()
    // What cannot be read is judged where every commit is.
    for (const { partition, bucket, offset, value, timestamp } of attempt(() => this.#read()?.rows) ?? []) {
      const name = `p=${partition}`
      const place = `${name}#${bucket}`
      const found = rows.get(place) ?? new Map<bigint, Row>()
      rows.set(place, found)
      const known = this.#rows.get(place)?.get(offset)
      if (found.has(offset)) history.break('G8', 'tier', `offset ${offset} of ${place} is twice in the lake`)
      if (known !== undefined && known.value !== value)
        history.break('G8', 'tier', `offset ${offset} of ${place} was ${known.value} in the lake and is ${value}`)
      if (offset < (this.#emptied.get(name) ?? 0n))
        history.break('G8', 'drop', `offset ${offset} of ${place} comes back into the lake after its partition was dropped`)
      found.set(offset, { value, timestamp })
    }
    return rows
  }

  #isBeingEmptied(name: string): boolean {
    const item = this.#stage.stores.items.get(partitionKey(this.#tableId, name), 'plain')
    const partition = item === undefined ? undefined : decodePartition(item)
    return partition?.state === 'dropping' && partition.lakeRows === 'go'
  }
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}
