/** Commits of engines over HTTP, as they send them: ids of 63 bits to the digit, and a clear word to what is not maintenance. */
import { beforeAll, describe, expect, test } from 'vitest'
import { printExact } from '../../core/kernel/exact-json.ts'
import { mergeManifests } from '../../core/lake/engine.case.ts'
import { parseExact } from '../../core/lake/iceberg/json.ts'
import type { TableMetadata } from '../../core/lake/iceberg/metadata.ts'
import type { Answer } from './client.ts'
import { lines, makeTable, ndjson, siteOfFile } from './harness.ts'

const site = await siteOfFile()

interface Made {
  readonly path: string
  readonly catalog: string
}

async function tiered(name: string, batches: number): Promise<Made> {
  const path = await makeTable(site.client, name, { options: { 'lake.format': 'iceberg' } })
  for (let id = 0; id < batches; id++) await produceAndTier(path, id)
  return { path, catalog: `/iceberg/v1/namespaces/d/tables/${name}` }
}

async function produceAndTier(path: string, id: number): Promise<void> {
  await site.client.send('POST', `${path}/records`, { body: lines([{ id }]), headers: ndjson })
  expect((await site.client.send('POST', `${path}/tier?wait=20s`)).status).toBe(200)
}

function commit(catalog: string, body: unknown): Promise<Answer> {
  return site.client.send('POST', catalog, { body: printExact(body), headers: { 'Content-Type': 'application/json' } })
}

const metadataOf = (answer: Answer): TableMetadata => (parseExact(answer.text) as unknown as { metadata: TableMetadata }).metadata

test('a snapshot with an id of 63 bits is committed and read back to the digit, and rows go on', async () => {
  const { path, catalog } = await tiered('merged', 3)
  const { world } = site.running
  const made = await mergeManifests(world, metadataOf(await site.client.get(catalog)), { now: Date.now(), codec: 'snappy' })
  const { snapshot, ...body } = made
  const answer = await commit(catalog, { identifier: { namespace: ['d'], name: 'merged' }, ...body })
  expect([answer.status, metadataOf(answer)['current-snapshot-id']]).toEqual([200, snapshot['snapshot-id']])
  expect(answer.text).toContain(`"current-snapshot-id":${snapshot['snapshot-id']}`)
  for (const query of ['', '?snapshots=refs'])
    expect((await site.client.get(`${catalog}${query}`)).text).toContain(`"snapshot-id":${snapshot['snapshot-id']}`)
  expect((await site.client.get(`${path}/tier`)).json.snapshot).toBe(String(snapshot['snapshot-id']))
  await produceAndTier(path, 3)
  const after = metadataOf(await site.client.get(catalog))
  expect(after.snapshots.at(-1)).toMatchObject({
    'parent-snapshot-id': snapshot['snapshot-id'],
    summary: { 'total-records': '4', 'total-data-files': '4' },
  })
  const late = await commit(catalog, body)
  expect([late.status, late.json.error.type]).toEqual([409, 'CommitFailedException'])
})

test('snapshots are expired, tags and properties set', async () => {
  const { catalog } = await tiered('expired', 3)
  const before = metadataOf(await site.client.get(catalog))
  const [first, second] = before.snapshots.map((snapshot) => snapshot['snapshot-id'])
  const answer = await commit(catalog, {
    requirements: [{ type: 'assert-table-uuid', uuid: before['table-uuid'] }],
    updates: [
      { action: 'set-snapshot-ref', 'ref-name': 'kept', type: 'tag', 'snapshot-id': second },
      { action: 'remove-snapshots', 'snapshot-ids': [first] },
      { action: 'set-properties', updates: { owner: 'ops' } },
    ],
  })
  expect(answer.status).toBe(200)
  const after = metadataOf(await site.client.get(catalog))
  expect(after.snapshots).toHaveLength(2)
  expect(after).toMatchObject({ refs: { kept: { type: 'tag' } }, properties: { owner: 'ops' } })
  expect(after.properties['sluice.points']).toBe(before.properties['sluice.points'])
})

describe('refused', () => {
  let catalog = ''
  beforeAll(async () => {
    catalog = (await tiered('refused', 1)).catalog
  })

  test.each<[string, unknown, RegExp]>([
    ['an action that nobody knows', { action: 'drop-everything' }, /updates\[0\]: "drop-everything" is not known/],
    ['an action with a slip', { action: 'set-propertys' }, /did you mean set-properties\?/],
    ['a change of the columns', { action: 'add-schema', schema: {} }, /add-schema" is not taken: columns change by PATCH/],
    ['another partition spec', { action: 'add-spec', spec: {} }, /not taken: the layout/],
    ['a field of another kind', { action: 'remove-snapshots', 'snapshot-ids': ['1'] }, /updates\[0\].*snapshot-ids/],
    ['an id of 64 bits', { action: 'remove-snapshots', 'snapshot-ids': [2n ** 63n] }, /2\^63 - 1/],
    ['an id that is no whole number', { action: 'remove-snapshots', 'snapshot-ids': [1.5] }, /snapshot id/],
    [
      'statistics without what readers demand of them',
      { action: 'set-statistics', statistics: { 'snapshot-id': 1, 'statistics-path': 's' } },
      /file-size-in-bytes/,
    ],
    [
      'a number of snapshots that is no int',
      { action: 'set-snapshot-ref', 'ref-name': 'b', type: 'branch', 'snapshot-id': 1, 'min-snapshots-to-keep': 2 ** 31 },
      /min-snapshots-to-keep must be below 2\^31/,
    ],
    ['points', { action: 'set-properties', updates: { 'sluice.points': 'x' } }, /belongs to sluice/],
    ['a prototype', { action: '__proto__' }, /is not known/],
    ['no action', {}, /action/],
  ])('%s', async (_, update, why) => {
    const { status, json } = await commit(catalog, { requirements: [], updates: [update] })
    expect([status, json.error.type, json.error.code]).toEqual([400, 'BadRequestException', 400])
    expect(json.error.message).toMatch(why)
  })

  test.each<[string, string, number]>([
    ['no JSON', '{', 400],
    ['no updates', '{"requirements":[]}', 400],
    ['too many updates', `{"requirements":[],"updates":[${'{"action":"x"},'.repeat(1_000)}{"action":"x"}]}`, 400],
    ['nested without end', `{"requirements":[],"updates":[${'['.repeat(100)}${']'.repeat(100)}]}`, 400],
    ['a body without end', `{"requirements":[],"updates":[],"x":"${'x'.repeat(2 << 20)}"}`, 413],
  ])('%s', async (_, body, code) => {
    const { status, json } = await site.client.send('POST', catalog, { body, headers: { 'Content-Type': 'application/json' } })
    expect([status, json.error.code]).toEqual([code, code])
  })

  test('a requirement that nobody knows, and one that does not hold', async () => {
    const unknown = await commit(catalog, { requirements: [{ type: 'assert-weather' }], updates: [] })
    expect([unknown.status, unknown.json.error.message]).toEqual([400, expect.stringContaining('"assert-weather" is not known')])
    const broken = await commit(catalog, { requirements: [{ type: 'assert-create' }], updates: [] })
    expect([broken.status, broken.json.error.type]).toEqual([409, 'CommitFailedException'])
  })

  test('a body that names another table than the path', async () => {
    const nothing = { requirements: [], updates: [] }
    const { status, json } = await commit(catalog, { identifier: { namespace: ['d'], name: 'other' }, ...nothing })
    expect([status, json.error.message]).toEqual([400, expect.stringContaining('identifier names another table')])
    const name = catalog.split('/').at(-1)
    expect((await commit(catalog, { identifier: { namespace: ['d'], name }, ...nothing })).status).toBe(200)
  })

  test('a table that is not there', async () => {
    const { status, json } = await commit('/iceberg/v1/namespaces/d/tables/none', { requirements: [], updates: [] })
    expect([status, json.error.type]).toEqual([404, 'NoSuchTableException'])
  })
})
