/**
 * An Iceberg catalog in memory, for tests and the simulation. Stricter than real ones: it takes only the requirements and
 * updates that we send and engines' usual ones, checks each against the specification, gives new tables field ids of its own, and
 * keeps nothing but JSON as it would go over the wire. One call is one atomic step.
 */
import { SluiceError } from '../../core/kernel/errors.ts'
import { printExact } from '../../core/kernel/exact-json.ts'
import { parseExact } from '../../core/lake/iceberg/json.ts'
import type { CatalogAnswer, CatalogChange, CatalogTable, LakeCatalog } from '../../core/ports/lake-catalog.ts'
import type { ObjectStore } from '../../core/ports/objects.ts'
import { freshIds, type JsonObject } from './fresh-ids.ts'

export interface CatalogTables {
  /** Of a new table that asks for none. */
  readonly locationOf: (table: CatalogTable) => string
  /** Version 4. */
  readonly newUuid: () => string
  /** ms since 1970 */
  readonly now: () => number
}

export class CatalogState {
  readonly #options: CatalogTables
  /** Metadata as text, the newest last. */
  readonly #tables = new Map<string, string[]>()

  constructor(options: CatalogTables) {
    this.#options = options
  }

  /** `age`: how many states ago. */
  load(table: CatalogTable, age = 0): CatalogAnswer | undefined {
    const states = this.#tables.get(nameOf(table))
    if (states === undefined) return undefined
    const at = Math.max(0, states.length - 1 - age)
    return answerOf(states[at] as string, at)
  }

  create(table: CatalogTable, request: JsonObject): CatalogAnswer | 'exists' {
    if (this.#tables.has(nameOf(table))) return 'exists'
    const { 'format-version': version, ...properties } = (request['properties'] ?? {}) as Record<string, string>
    require(/^[123]$/.test(version ?? ''), 'format-version must be 1, 2 or 3')
    const { schema, spec, order, lastColumnId, lastPartitionId } = freshIds(request)
    const metadata = {
      'format-version': Number(version),
      'table-uuid': this.#options.newUuid(),
      location: request['location'] ?? this.#options.locationOf(table),
      'last-sequence-number': 0,
      ...(version === '3' && { 'next-row-id': 0n }),
      'last-updated-ms': this.#options.now(),
      'last-column-id': lastColumnId,
      'current-schema-id': 0,
      schemas: [{ ...schema, 'schema-id': 0 }],
      'default-spec-id': 0,
      'partition-specs': [{ ...spec, 'spec-id': 0 }],
      'last-partition-id': lastPartitionId,
      'default-sort-order-id': order.fields.length === 0 ? 0 : 1,
      'sort-orders': [order.fields.length === 0 ? { 'order-id': 0, fields: [] } : { ...order, 'order-id': 1 }],
      properties,
      'current-snapshot-id': -1n,
      refs: {},
      snapshots: [],
      'snapshot-log': [],
      'metadata-log': [],
    }
    this.#tables.set(nameOf(table), [printExact(metadata)])
    return this.load(table) as CatalogAnswer
  }

  commit(table: CatalogTable, change: CatalogChange): CatalogAnswer | 'conflict' | 'absent' {
    const states = this.#tables.get(nameOf(table))
    if (states === undefined) return 'absent'
    const { requirements, updates } = parseExact(printExact(change)) as unknown as {
      readonly requirements: readonly JsonObject[]
      readonly updates: readonly JsonObject[]
    }
    const draft = parseExact(states.at(-1) as string) as unknown as Metadata
    if (!requirements.every((each) => holds(draft, each))) return 'conflict'
    for (const update of updates) apply(draft, update)
    draft['last-updated-ms'] = this.#options.now()
    states.push(printExact(draft))
    return this.load(table) as CatalogAnswer
  }

  drop(table: CatalogTable): void {
    this.#tables.delete(nameOf(table))
  }
}

export function memoryCatalog(name: string, state: CatalogState, objectsAt: (location: string) => ObjectStore): LakeCatalog {
  return {
    name,
    load: async (table) => state.load(table),
    create: async (table, request) => state.create(table, parseExact(printExact(request)) as JsonObject),
    commit: async (table, change) => state.commit(table, change), // COMMIT POINT
    locationFor: () => undefined,
    objectsAt,
  }
}

interface Metadata extends Record<string, unknown> {
  'format-version': number
  'next-row-id'?: bigint
  'table-uuid': string
  location: string
  'last-sequence-number': number
  'last-column-id': number
  'current-schema-id': number
  'default-spec-id': number
  schemas: JsonObject[]
  properties: Record<string, string>
  'current-snapshot-id': bigint
  refs: Record<string, JsonObject>
  snapshots: JsonObject[]
}

const nameOf = ({ namespace, table }: CatalogTable): string => [...namespace, table].join('\u001f')

const answerOf = (text: string, version: number): CatalogAnswer => {
  const metadata = parseExact(text) as unknown as Metadata
  return { metadata, metadataLocation: `${metadata.location}/metadata/${String(version).padStart(5, '0')}.metadata.json` }
}

function require(condition: boolean, why: string): asserts condition {
  if (!condition) throw new SluiceError('bad-request', `the catalog answered 400: ${why}`, { action: 'stop' })
}

function holds(metadata: Metadata, requirement: JsonObject): boolean {
  switch (requirement['type']) {
    case 'assert-table-uuid':
      return metadata['table-uuid'] === requirement['uuid']
    case 'assert-ref-snapshot-id':
      return (metadata.refs[String(requirement['ref'])]?.['snapshot-id'] ?? null) === requirement['snapshot-id']
    case 'assert-current-schema-id':
      return metadata['current-schema-id'] === requirement['current-schema-id']
    case 'assert-default-spec-id':
      return metadata['default-spec-id'] === requirement['default-spec-id']
    case 'assert-last-assigned-field-id':
      return metadata['last-column-id'] === requirement['last-assigned-field-id']
    default:
      require(false, `no such requirement: ${String(requirement['type'])}`)
  }
}

function apply(metadata: Metadata, update: JsonObject): void {
  switch (update['action']) {
    case 'add-schema':
      return addSchema(metadata, update['schema'] as JsonObject)
    case 'set-current-schema': {
      const id = update['schema-id'] === -1 ? metadata.schemas.at(-1)?.['schema-id'] : update['schema-id']
      require(metadata.schemas.some((each) => each['schema-id'] === id), 'no such schema')
      metadata['current-schema-id'] = id as number
      return
    }
    case 'upgrade-format-version': {
      const version = update['format-version'] as number
      require(version >= metadata['format-version'] && version <= 3, 'a table is upgraded to version 3 at most, and never back')
      metadata['format-version'] = version
      if (version === 3) metadata['next-row-id'] ??= 0n
      return
    }
    case 'add-snapshot':
      return addSnapshot(metadata, update['snapshot'] as JsonObject)
    case 'set-snapshot-ref': {
      const id = update['snapshot-id']
      require(typeof id === 'bigint' && metadata.snapshots.some((each) => each['snapshot-id'] === id), 'no such snapshot')
      metadata.refs[String(update['ref-name'])] = { 'snapshot-id': id, type: update['type'] ?? 'branch' }
      if (update['ref-name'] === 'main') metadata['current-snapshot-id'] = id
      return
    }
    case 'set-properties':
      metadata.properties = { ...metadata.properties, ...(update['updates'] as Record<string, string>) }
      return
    case 'remove-snapshots': {
      const gone = update['snapshot-ids'] as readonly unknown[]
      const ids = gone.map((id) => BigInt(id as number))
      require(!ids.includes(metadata['current-snapshot-id']), 'the current snapshot cannot go')
      metadata.snapshots = metadata.snapshots.filter((each) => !ids.includes(each['snapshot-id'] as bigint))
      return
    }
    default:
      require(false, `no such update: ${String(update['action'])}`)
  }
}

function addSchema(metadata: Metadata, schema: JsonObject): void {
  const fields = schema['fields'] as readonly JsonObject[]
  const ids = fields.map((field) => field['id'] as number)
  require(new Set(ids).size === ids.length, 'two fields of one id')
  require(new Set(fields.map((field) => field['name'])).size === fields.length, 'two fields of one name')
  const before = metadata.schemas.at(-1)?.['fields'] as readonly JsonObject[]
  for (const field of fields) {
    const old = before.find((each) => each['id'] === field['id'])
    require(old !== undefined ||
      ((field['id'] as number) > metadata['last-column-id'] &&
        field['required'] === false), 'a new field is optional and has a new id')
  }
  metadata['last-column-id'] = Math.max(metadata['last-column-id'], ...ids)
  const next = Math.max(...metadata.schemas.map((each) => each['schema-id'] as number)) + 1
  metadata.schemas.push({ ...schema, 'schema-id': next })
}

function addSnapshot(metadata: Metadata, snapshot: JsonObject): void {
  const { summary, ...ids } = snapshot
  require(!metadata.snapshots.some((each) => each['snapshot-id'] === ids['snapshot-id']), 'a snapshot of this id is there')
  const isOf1 = metadata['format-version'] === 1
  const next = isOf1 ? undefined : metadata['last-sequence-number'] + 1
  require(ids['sequence-number'] === next, 'the sequence number is not the next')
  require(typeof (summary as JsonObject | undefined)?.['operation'] === 'string', 'a summary names its operation')
  const lists = isOf1 && Array.isArray(ids['manifests']) ? ids['manifests'] : [ids['manifest-list']]
  require(lists.every((each) => String(each).startsWith(`${metadata.location}/`)), 'the manifest list is outside of the table')
  const parent = ids['parent-snapshot-id'] ?? -1n
  require(parent === -1n || metadata.snapshots.some((each) => each['snapshot-id'] === parent), 'the parent is not there')
  require(metadata.schemas.some((each) => each['schema-id'] === ids['schema-id']), 'no such schema')
  if (metadata['format-version'] === 3) {
    const { 'first-row-id': first, 'added-rows': added } = ids
    require(typeof first === 'bigint' && first === metadata['next-row-id'], 'first-row-id is not the next-row-id')
    require(typeof added === 'bigint' && added >= 0n, 'a snapshot of version 3 has added-rows')
    metadata['next-row-id'] = first + added
  }
  metadata['last-sequence-number'] = next ?? 0
  metadata.snapshots.push(snapshot)
}
