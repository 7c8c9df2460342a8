/** A catalog that lies, or keeps the table where nobody can write: the lake stops and says why, the log is as it was, and it goes on alone. */
import { expect, test } from 'vitest'
import { testLog } from '../log/world.case.ts'
import type { CatalogAnswer } from '../ports/lake-catalog.ts'
import { type ExternalWorld, externalTestTable, externalValues, externalWorld, loaded, produce } from './external.case.ts'
import { tierState } from './state.ts'
import { tier } from './tier.case.ts'

type Lie = (metadata: Record<string, unknown>, world: ExternalWorld) => Record<string, unknown>

const listAt =
  (uri: string): Lie =>
  (metadata) => ({
    ...metadata,
    snapshots: (metadata['snapshots'] as object[]).map((each) => ({ ...each, 'manifest-list': uri })),
  })

test.each<[string, Lie, string]>([
  ['a manifest list elsewhere', listAt('memory:///t/secret.avro'), 'an object outside of the table'],
  ['a manifest list above the table', listAt('memory:///warehouse/d/t/../x.avro'), 'an object outside of the table'],
  ['a manifest list that is not there', listAt('memory:///warehouse/d/t/metadata/none.avro'), 'is absent'],
  ['a manifest list that is none', listAt('memory:///warehouse/d/t/metadata/garbage.avro'), 'an avro file cannot be read'],
  [
    'a location that is not ours',
    (metadata) => ({ ...metadata, location: 's3://elsewhere/t' }),
    'where this deployment cannot write',
  ],
  [
    'our own log as its location',
    (metadata) => ({ ...metadata, location: 'memory:///t/x' }),
    'where this deployment cannot write',
  ],
  ['another uuid', (metadata) => ({ ...metadata, 'table-uuid': 'other' }), 'another table now'],
  [
    'snapshots by the hundred thousand',
    (metadata) => ({ ...metadata, snapshots: new Array(100_001).fill({}) }),
    'at most 100000',
  ],
  ['no snapshot at all', (metadata) => ({ ...metadata, snapshots: [] }), 'does not list'],
  ['format version 4', (metadata) => ({ ...metadata, 'format-version': 4 }), 'format version 4'],
])('%s is refused and shown, and nothing is lost by it', async (_name, lie, message) => {
  let lies = false
  const told = (answer: CatalogAnswer | undefined): CatalogAnswer | undefined =>
    answer && lies ? { ...answer, metadata: lie(answer.metadata as Record<string, unknown>, world) } : answer
  const world: ExternalWorld = externalWorld((catalog) => ({ ...catalog, load: async (name) => told(await catalog.load(name)) }))
  await world.objects.create('warehouse/d/t/metadata/garbage.avro', new Uint8Array(64).fill(0x4f))
  const table = await externalTestTable(world)
  await produce(world, table, [1])
  await tier(world, table)
  const { main } = loaded(world)
  lies = true
  await produce(world, table, [2])
  await expect(tier(world, table)).rejects.toThrow(message)
  expect(await tierState(world, testLog(world), table)).toMatchObject({
    state: 'failing',
    lagRows: 1,
    lastError: { message: expect.stringContaining(message) },
  })
  expect(loaded(world).main).toEqual(main)
  lies = false
  world.time.now += 3_600_000
  await tier(world, table)
  expect(await externalValues(world)).toEqual([1, 2])
  expect(await tierState(world, testLog(world), table)).toMatchObject({ state: 'idle', lastError: null })
})

test('a yes in words that do not have our snapshot is no yes: the table is read', async () => {
  const world: ExternalWorld = externalWorld((catalog) => ({
    ...catalog,
    commit: async (name, change) => {
      const before = await catalog.load(name)
      const answer = await catalog.commit(name, change)
      return typeof answer === 'object' ? (before as CatalogAnswer) : answer
    },
  }))
  const table = await externalTestTable(world)
  await produce(world, table, [1])
  await tier(world, table)
  expect(await externalValues(world)).toEqual([1])
})

test('a yes to a commit that was not made is found out, and the rows come in when the catalog does its work', async () => {
  let isLying = true
  const world: ExternalWorld = externalWorld((catalog) => ({
    ...catalog,
    commit: async (name, change) => {
      const isOfRows = change.updates.some((update) => 'snapshot' in update)
      return isLying && isOfRows ? ((await catalog.load(name)) as CatalogAnswer) : catalog.commit(name, change)
    },
  }))
  const table = await externalTestTable(world)
  await produce(world, table, [1])
  await expect(tier(world, table)).rejects.toThrow('refuses commits again and again')
  isLying = false
  world.time.now += 3_600_000
  await tier(world, table)
  expect(await externalValues(world)).toEqual([1])
})
