/** The stories of the small world: at most two producers and three calls each, from a state that puts them at a boundary. */

import { collect } from '../../../core/log/collect.ts'
import { dropTable } from '../../../core/log/drop.ts'
import { databaseName, tableName } from '../stage.ts'
import type { SmallWorld, Story } from './world.ts'

export interface SmallScenario {
  readonly name: string
  readonly prelude: Story
  readonly story: Story
  /** Some actor changes the table's item. */
  readonly changesTable?: true
}

const nothing: Story = async () => {}
const first = { name: 'a', epoch: 0n, sequence: 0n }

/** So many entries stand in the head already. */
const entries =
  (count: number): Story =>
  async (world) => {
    const environment = world.environment('prelude')
    for (let i = 0; i < count; i++) await world.append(environment, world.request(undefined))
  }

/** So many other producers are known to the head. */
const producers =
  (count: number): Story =>
  async (world) => {
    const environment = world.environment('prelude')
    for (let i = 0; i < count; i++) await world.append(environment, world.request({ name: `other${i}`, epoch: 0n, sequence: 0n }))
  }

export const smallScenarios: readonly SmallScenario[] = [
  {
    name: 'two producers meet in a bucket that is born',
    prelude: nothing,
    story: (world) =>
      both(
        world,
        async (at) => void (await world.append(at, world.request(first))),
        async (at) => void (await world.append(at, world.request({ ...first, name: 'b' }))),
      ),
  },
  {
    name: 'one request runs in two processes',
    prelude: entries(1),
    story: async (world) => {
      const request = world.request(first)
      await both(
        world,
        async (at) => void (await world.append(at, request)),
        async (at) => void (await world.append(at, request)),
      )
    },
  },
  {
    name: 'a producer goes on while its first request arrives again',
    prelude: entries(1),
    story: async (world) => {
      const request = world.request(first)
      await both(
        world,
        async (at) => {
          const next = await world.append(at, request)
          await world.append(next, world.request({ ...first, sequence: 1n }))
        },
        async (at) => void (await world.append(at, request)),
      )
    },
  },
  {
    name: 'rows without a producer meet others',
    prelude: entries(1),
    story: (world) =>
      both(
        world,
        async (at) => void (await world.append(at, world.request(undefined))),
        async (at) => void (await world.append(at, world.request(undefined))),
      ),
  },
  {
    name: 'two spill at once',
    prelude: entries(11),
    story: (world) =>
      both(
        world,
        async (at) => void (await world.append(at, world.request(undefined))),
        async (at) => void (await world.append(at, world.request(first))),
      ),
  },
  {
    name: 'a producer is evicted while its request arrives again',
    prelude: async (world) => {
      await world.append(world.environment('prelude'), world.request(first))
      await producers(31)(world)
    },
    story: async (world) => {
      const [request] = world.history.requests.values()
      await both(
        world,
        async (at) => void (await world.append(at, world.request({ ...first, name: 'b' }))),
        async (at) => void (request && (await world.append(at, request))),
      )
    },
  },
  {
    name: 'a newer epoch meets the older',
    prelude: entries(1),
    story: (world) =>
      both(
        world,
        async (at) => void (await world.append(at, world.request(first))),
        async (at) => void (await world.append(at, world.request({ ...first, epoch: 1n }))),
      ),
  },
  {
    changesTable: true,
    name: 'a drop meets an append',
    prelude: entries(1),
    story: (world) =>
      both(
        world,
        async (at) => void (await world.survive(at, () => world.appendOnce(at, world.request(first)))),
        async (at) => void (await world.survive(at, () => dropTable(at.world, databaseName, tableName))),
      ),
  },
  {
    changesTable: true,
    name: 'a collect meets an append',
    prelude: entries(1),
    story: (world) => {
      const table = { database: databaseName, table: tableName, tableId: world.stage.tables[0]?.tableId ?? '' }
      return both(
        world,
        async (at) => void (await world.append(at, world.request(first))),
        async (at) =>
          void (await world.survive(at, () => collect(at.world, { kind: 'collect', table, buckets: 1, marks: [] }, -1_000))),
      )
    },
  },
]

type Actor = (at: ReturnType<SmallWorld['environment']>) => Promise<void>

async function both(world: SmallWorld, a: Actor, b: Actor): Promise<void> {
  await Promise.all([a(world.environment('x')), b(world.environment('y'))])
}
