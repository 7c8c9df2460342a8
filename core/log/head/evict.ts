/**
 * Eviction: producers beyond 32 leave the head, the longest idle first, but are not forgotten: their state is written to an item
 * beside the head before `evictions` is raised. Whoever commits a producer that the head does not know holds `evictions = seen`,
 * and with a seen value above 0 it has read that item strongly after it saw the value.
 */
import { decodeEvicted, encodeEvicted, evictedKey } from '../../format/items/evicted.ts'
import {
  decodeHead,
  encodeProducer,
  type Head,
  headKey,
  type ProducerState,
  producerAttribute,
  producerBaseAttribute,
} from '../../format/items/head.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { limits } from '../../kernel/limits.ts'
import type { BucketId } from '../../model/partition.ts'
import type { Table } from '../../model/table.ts'
import type { Condition, Item } from '../../ports/items.ts'
import type { World } from '../../ports/world.ts'

/** So many leave at once, so that a head with many producers does not evict at every commit. */
const evictedAtOnce = 8
const dayMs = 86_400_000
const putAttemptsMax = 8

/** Returns the head as last seen. A lost race evicts nothing. */
export async function evict(world: World, table: Table, at: BucketId, head: Head): Promise<Head> {
  if (head.producers.size <= limits.producersPerHeadMax) return head
  const idle = [...head.producers].sort(([, a], [, b]) => (a.base < b.base ? -1 : a.base > b.base ? 1 : 0))
  const leaving = idle.slice(0, Math.min(head.producers.size - limits.producersPerHeadMax + evictedAtOnce, idle.length - 1))
  const expiresAt = world.clock.now() + limits.dedupeHorizonMs + dayMs
  for (const [id, state] of leaving) await keep(world, encodeEvicted(evictedKey(table.tableId, at, id), state, expiresAt), state)
  const { item } = await world.items.update({
    key: headKey(table.tableId, at),
    set: { v: { plus: 'v', by: 1n } },
    remove: leaving.flatMap(([id]) => [producerAttribute(id), producerBaseAttribute(id)]),
    condition: { is: 'and', all: leaving.map(([id, state]) => unchanged(id, state)) },
  }) // COMMIT POINT
  return item === undefined ? head : decodeHead(item)
}

/** The state of a producer that the head does not know, if it was evicted within the horizon. */
export async function readEvicted(
  world: World,
  table: Table,
  at: BucketId,
  producer: string,
): Promise<ProducerState | undefined> {
  const item = await world.items.get(evictedKey(table.tableId, at, producer))
  if (item === undefined) return undefined
  const evicted = decodeEvicted(item)
  return evicted.expiresAt < world.clock.now() ? undefined : evicted
}

/** Puts the item if there is none or an older one. */
async function keep(world: World, item: Item, state: ProducerState): Promise<void> {
  const set = Object.fromEntries(Object.entries(item.attributes).map(([name, value]) => [name, { value }]))
  const older: Condition = {
    is: 'or',
    all: [
      { is: 'less', path: 'e', value: state.epoch },
      {
        is: 'and',
        all: [
          { is: 'equal', path: 'e', value: state.epoch },
          { is: 'less', path: 's', value: state.sequence },
        ],
      },
    ],
  }
  for (let attempt = 0; attempt < putAttemptsMax; attempt++) {
    const updated = await world.items.update({ key: item.key, set, condition: older })
    if (updated.done || updated.item !== undefined) return
    if ((await world.items.create(item)).done) return
  }
  // Nobody leaves the head without its item: the next committer tries again.
  throw new SluiceError('unavailable', `an evicted producer could not be kept: ${item.key.partition} is contended`)
}

const unchanged = (id: string, { epoch, sequence, count, crc }: ProducerState): Condition => ({
  is: 'equal',
  path: producerAttribute(id),
  value: encodeProducer({ epoch, sequence, count, crc }),
})
