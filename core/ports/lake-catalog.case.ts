/** What every LakeCatalog does. `make` gives an empty one. */
import { describe, expect, test } from 'vitest'
import { tableOf } from '../lake/external/answer.ts'
import type { CatalogAnswer, CatalogTable, LakeCatalog } from './lake-catalog.ts'

export interface OpenedCatalog {
  readonly catalog: LakeCatalog
  close(): Promise<void>
}

const name: CatalogTable = { namespace: ['sales', 'eu west'], table: 'orders/2026' }

export const tableRequest = {
  schema: {
    type: 'struct',
    'schema-id': 0,
    fields: [
      { id: 7, name: 'id', required: true, type: 'long' },
      {
        id: 9,
        name: 'tags',
        required: false,
        type: { type: 'list', 'element-id': 11, element: 'string', 'element-required': false },
      },
    ],
  },
  'partition-spec': { 'spec-id': 0, fields: [] },
  'write-order': { 'order-id': 0, fields: [] },
  properties: { 'format-version': '2', made: 'here' },
}

const snapshot = (id: bigint, sequence: number, location: string) => ({
  action: 'add-snapshot',
  snapshot: {
    'snapshot-id': id,
    'sequence-number': sequence,
    'timestamp-ms': 1_700_000_000_000,
    'manifest-list': `${location}/metadata/snap-${id}.avro`,
    summary: { operation: 'append' },
    'schema-id': 0,
  },
})
const toMain = (id: bigint) => ({ action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id })
const fence = (id: bigint | null) => ({ type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': id })

export function lakeCatalogCases(kind: string, make: () => Promise<OpenedCatalog>): void {
  const within = async (run: (catalog: LakeCatalog) => Promise<void>): Promise<void> => {
    const { catalog, close } = await make()
    try {
      await run(catalog)
    } finally {
      await close()
    }
  }
  const read = (catalog: LakeCatalog, answer: CatalogAnswer | string | undefined) => {
    if (typeof answer !== 'object') throw new Error(`no answer but ${answer}`)
    return tableOf(catalog, name, answer)
  }

  describe(`${kind} is a lake catalog`, () => {
    test('a table that is absent is no error, and one is made once', () =>
      within(async (catalog) => {
        expect(await catalog.load(name)).toBeUndefined()
        const made = read(catalog, await catalog.create(name, tableRequest))
        expect(made).toMatchObject({ lastColumnId: 3, main: undefined, properties: { made: 'here' } })
        expect(await catalog.create(name, tableRequest)).toBe('exists')
        expect(read(catalog, await catalog.load(name)).uuid).toBe(made.uuid)
      }))

    test('a commit is made whole where its requirements hold, and not at all elsewhere; ids of 63 bits are exact', () =>
      within(async (catalog) => {
        const { uuid, location } = read(catalog, await catalog.create(name, tableRequest))
        const id = 2n ** 63n - 3n
        const change = {
          requirements: [{ type: 'assert-table-uuid', uuid }, fence(null)],
          updates: [snapshot(id, 1, location), toMain(id), { action: 'set-properties', updates: { a: '1' } }],
        }
        expect(read(catalog, await catalog.commit(name, change))).toMatchObject({ main: { id }, properties: { a: '1' } })
        expect(await catalog.commit(name, change)).toBe('conflict')
        const other = { requirements: [fence(id), { type: 'assert-table-uuid', uuid: 'another' }], updates: [toMain(id)] }
        expect(await catalog.commit(name, other)).toBe('conflict')
        const next = { requirements: [fence(id)], updates: [snapshot(5n, 2, location), toMain(5n)] }
        expect(read(catalog, await catalog.commit(name, next)).main?.id).toBe(5n)
        expect(read(catalog, await catalog.load(name)).snapshots.size).toBe(2)
      }))

    test('of two commits over one snapshot one is made', () =>
      within(async (catalog) => {
        const { location } = read(catalog, await catalog.create(name, tableRequest))
        const over = (id: bigint) =>
          catalog.commit(name, { requirements: [fence(null)], updates: [snapshot(id, 1, location), toMain(id)] })
        const answers = await Promise.all([over(1n), over(2n), over(3n)])
        expect(answers.filter((answer) => answer === 'conflict')).toHaveLength(2)
      }))

    test('what makes no sense is refused without an effect, and a table that is not there has no commits', () =>
      within(async (catalog) => {
        expect(await catalog.commit(name, { requirements: [], updates: [] })).toBe('absent')
        await catalog.create(name, tableRequest)
        const change = { requirements: [], updates: [{ action: 'set-properties', updates: { b: '1' } }, toMain(77n)] }
        await expect(catalog.commit(name, change)).rejects.toMatchObject({ code: 'bad-request', effect: 'none' })
        expect(read(catalog, await catalog.load(name)).properties).not.toHaveProperty('b')
      }))
  })
}
