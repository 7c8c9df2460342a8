import { parquetMetadata } from 'hyparquet'
import { icebergManifests, icebergMetadata } from 'icebird'
import { expect, test } from 'vitest'
import { createDatabase } from '../catalog/databases.ts'
import { createTable } from '../catalog/tables.ts'
import { utf8 } from '../kernel/bytes.ts'
import { intBound, longBound } from '../lake/iceberg/bounds.ts'
import { lakeFolder } from '../lake/layout.ts'
import { testLog, testWorld } from '../log/world.case.ts'
import { defaultOptions } from '../model/options.ts'
import { everyBatch, everyColumn, folderRows, tier, withFetch } from './tier.case.ts'

async function tieredWorld() {
  const world = testWorld()
  await createDatabase(world, 'd')
  const { table } = await createTable(world, 'd', 't', {
    columns: everyColumn,
    partitionBy: [],
    buckets: { count: 2 },
    options: { ...defaultOptions, lakeFormat: 'iceberg' },
  })
  const log = testLog(world)
  for (const [bucket, from, count] of [
    [0, 0, 7],
    [1, 7, 6],
    [0, 13, 3],
  ] as const) {
    await log.append(table, { parts: [{ partition: '', bucket, batches: [everyBatch(table, from, count)] }] })
    world.time.now += 1000
  }
  return { world, table, outcome: await tier(world, table) }
}

test('icebird reads every kind of column, and where each row was in the log, from the folder alone', async () => {
  const { world, table, outcome } = await tieredWorld()
  expect(outcome).toEqual({ state: 'committed', snapshots: 1, rows: 16n, remaining: 0n })
  const rows = await folderRows(world.objects, table)
  expect(rows.map((row) => [row['__bucket'], row['__offset']])).toEqual([
    ...Array.from({ length: 10 }, (_, i) => [0, BigInt(i)]),
    ...Array.from({ length: 6 }, (_, i) => [1, BigInt(i)]),
  ])
  const [first] = rows
  expect(first).toMatchObject({
    id: 0n,
    yes: true,
    tiny: -128,
    small: -32768,
    int: 0,
    float: 0.5,
    double: 0,
    price: -5,
    'größe.m': 'text 0',
    day: new Date(20_000 * 86_400_000),
    at3: 1000n,
    ts0: new Date(1_700_000_000_000),
    ts6: new Date(1_700_000_000_000),
    ltz3: new Date(1_700_000_000_123),
    list: [0, null, -1],
    row: { x: 0, y: 'y0' },
    vector: [0, 0.5, -1],
    __timestamp: new Date(1_700_000_000_000),
  })
  const empty = rows.find((row) => row['id'] === 4n) ?? {}
  for (const { name, nullable } of everyColumn) if (nullable) expect(empty[name] ?? null, name).toBeNull()
})

test('every field of a data file carries its id, nested ones too', async () => {
  const { world, table } = await tieredWorld()
  const ids: Record<string, number> = {}
  for await (const { key } of world.objects.list(`${lakeFolder(table.tableId)}/data`)) {
    const file = await world.objects.read(key)
    const footer = parquetMetadata(file.slice().buffer as ArrayBuffer)
    expect(footer.created_by).toBe('sluice')
    for (const { name, field_id } of footer.schema) if (field_id !== undefined) ids[name] = field_id
  }
  const nested = new Map(table.schema.columns.map(({ name, type }) => [name, type as never as Record<string, number>]))
  expect(ids).toEqual({
    ...Object.fromEntries(table.schema.columns.map(({ id, name }) => [name === 'größe.m' ? 'gr_xF6_xDFe_x2Em' : name, id])),
    element: nested.get('vector')?.['elementId'],
    key: nested.get('map')?.['keyId'],
    value: nested.get('map')?.['valueId'],
    x: 26,
    y: 27,
    __bucket: 1,
    __offset: 2,
    __timestamp: 3,
  })
})

test('the manifest bounds are exactly the least and the greatest value of each file', async () => {
  const { world, table } = await tieredWorld()
  const [manifest] = await withFetch(world.objects, async () =>
    icebergManifests(await icebergMetadata({ tableUrl: world.objects.uri(lakeFolder(table.tableId)) })),
  )
  const [file] =
    manifest?.entries.map((entry) => entry.data_file as never as ReadFile).filter((each) => each.record_count === 10n) ?? []
  const idOf = (name: string): number => table.schema.columns.find((column) => column.name === name)?.id ?? 0
  const of = (list: readonly { key: number; value: unknown }[] | undefined, id: number): unknown =>
    list?.find(({ key }) => key === id)?.value
  const bounds = (id: number): unknown[] => [of(file?.lower_bounds, id), of(file?.upper_bounds, id)]
  // Bucket 0 has rows 0 to 6 and 13 to 15; 4 and 14 are null where they may be.
  expect(bounds(idOf('id'))).toEqual([longBound(0n), longBound(15n)])
  expect(bounds(idOf('yes'))).toEqual([Uint8Array.of(0), Uint8Array.of(1)])
  expect(bounds(idOf('tiny'))).toEqual([intBound(-128), intBound(-113)])
  expect(bounds(idOf('small'))).toEqual([intBound(-32768), intBound(-32753)])
  expect(bounds(idOf('double'))).toEqual([0, 3.75].map((value) => new Uint8Array(new Float64Array([value]).buffer)))
  expect(bounds(idOf('float'))).toEqual([0.5, 15.5].map((value) => new Uint8Array(new Float32Array([value]).buffer)))
  expect(bounds(idOf('price'))).toEqual([Uint8Array.of(0xfe, 0x0c), Uint8Array.of(0x03, 0xe8)])
  expect(bounds(idOf('größe.m'))).toEqual([utf8('text 0'), utf8('text 6')])
  expect(bounds(idOf('raw'))).toEqual([Uint8Array.of(0, 255), Uint8Array.of(15, 255)])
  expect(bounds(idOf('day'))).toEqual([intBound(20_000), intBound(20_015)])
  expect(bounds(idOf('at3'))).toEqual([longBound(1000n), longBound(15_001_000n)])
  expect(bounds(idOf('ts0'))).toEqual([longBound(1_700_000_000_000_000n), longBound(1_700_000_015_000_000n)])
  expect(bounds(idOf('ts6'))).toEqual([longBound(1_700_000_000_000_001n), longBound(1_700_000_000_000_016n)])
  expect(bounds(idOf('ltz3'))).toEqual([longBound(1_700_000_000_123_000n), longBound(1_700_000_000_138_000n)])
  expect(bounds(26)).toEqual([intBound(0), intBound(15)])
  expect(bounds(1)).toEqual([intBound(0), intBound(0)])
  expect(bounds(2)).toEqual([longBound(0n), longBound(9n)])
  expect(bounds(3)).toEqual([longBound(1_700_000_000_000_000n), longBound(1_700_000_002_000_000n)])
  expect([of(file?.value_counts, idOf('price')), of(file?.null_value_counts, idOf('price'))]).toEqual([10n, 2n])
  expect([of(file?.nan_value_counts, idOf('float')), of(file?.nan_value_counts, idOf('id'))]).toEqual([0n, undefined])
  expect(file?.partition).toEqual({ __bucket: 0 })
})

interface ReadFile {
  readonly record_count: bigint
  readonly partition: object
  readonly value_counts: readonly { key: number; value: bigint }[]
  readonly null_value_counts: readonly { key: number; value: bigint }[]
  readonly nan_value_counts: readonly { key: number; value: bigint }[]
  readonly lower_bounds: readonly { key: number; value: Uint8Array }[]
  readonly upper_bounds: readonly { key: number; value: Uint8Array }[]
}
