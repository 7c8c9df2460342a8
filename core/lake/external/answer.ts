/**
 * What an external catalog says of a table, checked field by field before anything is done with it: types, sizes, the table's
 * identity, places outside its root. Nothing here trusts a catalog more than a request from outside.
 */
import { SluiceError } from '../../kernel/errors.ts'
import type { CatalogAnswer, CatalogTable, LakeCatalog } from '../../ports/lake-catalog.ts'
import type { FormatVersion } from '../iceberg/row-lineage.ts'
import type { IcebergSchema } from '../iceberg/schema.ts'
import { isId, schemaOf } from './schema-answer.ts'

export interface ExternalTable {
  readonly uuid: string
  /** Without a slash at its end. */
  readonly location: string
  readonly metadataLocation: string | undefined
  /** Of the branch main; undefined where nothing was committed to it. */
  readonly main: ExternalSnapshot | undefined
  readonly lastSequence: bigint
  readonly formatVersion: FormatVersion
  /** Of version 3; else 0. */
  readonly nextRowId: bigint
  readonly lastColumnId: number
  readonly schema: IcebergSchema
  readonly spec: ExternalSpec
  /** All that it had, by id, as far as they are understood. */
  readonly specs: ReadonlyMap<number, ExternalSpec>
  /** Of its default sort order: 0 where it has none. */
  readonly sortOrderId: number
  readonly sortFields: readonly Entry[]
  readonly properties: Readonly<Record<string, string>>
  readonly snapshots: ReadonlyMap<bigint, ExternalSnapshot>
}

export interface ExternalSnapshot {
  readonly id: bigint
  readonly parent: bigint | undefined
  readonly sequence: bigint
  /** Of format version 1: the paths of the manifests, where there is no list. */
  readonly manifestList: string | readonly string[]
  readonly summary: Readonly<Record<string, string>>
}

export interface ExternalSpec {
  readonly 'spec-id': number
  readonly fields: readonly {
    readonly 'source-id': number
    readonly 'field-id': number
    readonly name: string
    readonly transform: string
  }[]
}

type Entry = Readonly<Record<string, unknown>>

/** Of snapshots, schemas, specs, properties: more is no table that a person keeps. */
const entriesMax = 100_000
const columnsMax = 10_000

export function tableOf(catalog: LakeCatalog, name: CatalogTable, answer: CatalogAnswer): ExternalTable {
  const lies = (why: string): SluiceError => hostile(catalog, name, why)
  const metadata = recordOf(answer.metadata) ?? lied(lies('no metadata'))
  const version = metadata['format-version']
  if (version !== 2 && version !== 3) {
    throw new SluiceError(
      'not-supported',
      `${nameOf(catalog, name)} has format version ${String(version).slice(0, 20)}, this build writes 2 and 3: ${version === 1 ? 'upgrade it there' : 'use a table of one of them'}`,
      { action: 'stop', facts: factsOf(catalog, name) },
    )
  }
  const text = (field: string, lengthMax = 4_096): string => {
    const value = metadata[field]
    if (typeof value !== 'string' || value === '' || value.length > lengthMax) throw lies(`a ${field} that is no text`)
    return value
  }
  const number = (field: string): number => {
    const value = metadata[field]
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw lies(`a ${field} that is no number`)
    return value
  }
  const int = (field: string): number => {
    const value = number(field)
    return isId(value) ? value : lied(lies(`a ${field} that is past 32 bits`))
  }
  const entries = (field: string): readonly Entry[] => {
    const value = metadata[field] ?? []
    if (!Array.isArray(value) || value.length > entriesMax) throw lies(`${field} that are no list of at most ${entriesMax}`)
    return value.map((each: unknown): Entry => recordOf(each) ?? lied(lies(`an entry of ${field} that is no object`)))
  }
  const location = text('location').replace(/\/+$/, '')
  const snapshots = new Map<bigint, ExternalSnapshot>()
  for (const entry of entries('snapshots')) {
    const snapshot = snapshotOf(entry) ?? lied(lies('a snapshot that is not understood'))
    if (snapshots.has(snapshot.id)) throw lies(`two snapshots ${snapshot.id}`)
    snapshots.set(snapshot.id, snapshot)
  }
  const main = mainOf(metadata, snapshots, lies)
  const schemaId = int('current-schema-id')
  const specId = int('default-spec-id')
  const orderId = int('default-sort-order-id')
  const specs = new Map(
    entries('partition-specs').flatMap((entry) => {
      const spec = specOf(entry)
      return spec === undefined ? [] : [[spec['spec-id'], spec] as const]
    }),
  )
  const order = entries('sort-orders').find((each) => each['order-id'] === orderId)
  const { metadataLocation } = answer
  return {
    uuid: text('table-uuid', 64),
    location,
    metadataLocation: typeof metadataLocation === 'string' ? metadataLocation.slice(0, 4_096) : undefined,
    main,
    lastSequence: BigInt(number('last-sequence-number')),
    formatVersion: version,
    nextRowId: version === 2 ? 0n : (rowIdOf(metadata['next-row-id']) ?? lied(lies('a next-row-id that is no number'))),
    lastColumnId: int('last-column-id'),
    schema:
      schemaOf(entries('schemas').find((each) => each['schema-id'] === schemaId)) ??
      lied(lies('no current schema that is understood')),
    spec: specs.get(specId) ?? lied(lies('no default partition spec')),
    specs,
    sortOrderId: orderId,
    sortFields: recordsOf(order?.['fields']),
    properties: textsOf(metadata['properties'] ?? {}) ?? lied(lies('properties that are no texts')),
    snapshots,
  }
}

/** The key of an object that the catalog names, below the table's location; `s3a` is Hadoop's name of `s3`. */
export function keyBelow(catalog: LakeCatalog, name: CatalogTable, table: ExternalTable, spelled: string): string {
  const [location, uri] = [table.location, spelled].map((each) => each.replace(/^s3a:/, 's3:')) as [string, string]
  if (!uri.startsWith(`${location}/`) || uri.split('/').includes('..')) {
    throw hostile(catalog, name, `an object outside of the table's location: ${JSON.stringify(uri.slice(0, 200))}`)
  }
  return uri.slice(location.length + 1)
}

export const nameOf = (catalog: LakeCatalog, { namespace, table }: CatalogTable): string =>
  `table ${[...namespace, table].join('.')} of catalog ${catalog.name}`

export const factsOf = (catalog: LakeCatalog, { namespace, table }: CatalogTable): Readonly<Record<string, string>> => ({
  catalog: catalog.name,
  namespace: namespace.join('.'),
  table,
})

/** An answer that no honest catalog gives. Nothing was done with it. */
export const hostile = (catalog: LakeCatalog, name: CatalogTable, why: string): SluiceError =>
  new SluiceError('internal', `${nameOf(catalog, name)} is refused, its catalog answered with ${why}`, {
    action: 'stop',
    facts: factsOf(catalog, name),
  })

function lied(error: SluiceError): never {
  throw error
}

function mainOf(
  metadata: Entry,
  snapshots: ReadonlyMap<bigint, ExternalSnapshot>,
  lies: (why: string) => SluiceError,
): ExternalSnapshot | undefined {
  const ref = recordOf(recordOf(metadata['refs'])?.['main'])
  const current = metadata['current-snapshot-id'] ?? undefined
  const id = ref?.['snapshot-id'] ?? current
  if (id === undefined || id === -1n) return undefined
  if (typeof id !== 'bigint') throw lies('a current snapshot that is no number')
  if (ref !== undefined && current !== undefined && current !== id) throw lies('a main branch that is not its current snapshot')
  return snapshots.get(id) ?? lied(lies(`a current snapshot ${id} that it does not list`))
}

const rowIdOf = (value: unknown): bigint | undefined =>
  typeof value === 'bigint' && value >= 0n && value < rowIdMax ? value : undefined
/** Far from the end of 64 bits, so that what a commit adds fits. */
const rowIdMax = 2n ** 62n

function snapshotOf(entry: Entry): ExternalSnapshot | undefined {
  const id = entry['snapshot-id']
  const parent = entry['parent-snapshot-id'] ?? undefined
  const sequence = entry['sequence-number'] ?? 0
  const list = entry['manifest-list']
  const manifestList = typeof list === 'string' ? list : pathsOf(entry['manifests'])
  const summary = textsOf(entry['summary'] ?? {})
  if (typeof id !== 'bigint' || id <= 0n || id >= 2n ** 63n) return undefined
  if (parent !== undefined && typeof parent !== 'bigint') return undefined
  if (typeof sequence !== 'number' || !Number.isSafeInteger(sequence)) return undefined
  if (manifestList === undefined || summary === undefined) return undefined
  return { id, parent: parent === -1n ? undefined : parent, sequence: BigInt(sequence), manifestList, summary }
}

const pathsOf = (value: unknown): readonly string[] | undefined =>
  Array.isArray(value) && value.length <= entriesMax && value.every((each) => typeof each === 'string') ? value : undefined

function specOf(entry: Entry | undefined): ExternalSpec | undefined {
  const fields = entry?.['fields']
  if (!Array.isArray(fields) || fields.length > columnsMax) return undefined
  const isField = (field: unknown): boolean => {
    const { name, transform, ...ids } = recordOf(field) ?? {}
    return isId(ids['source-id']) && isId(ids['field-id']) && typeof name === 'string' && typeof transform === 'string'
  }
  return fields.every(isField) ? (entry as unknown as ExternalSpec) : undefined
}

function textsOf(value: unknown): Readonly<Record<string, string>> | undefined {
  const record = recordOf(value)
  return record !== undefined && Object.values(record).every((each) => typeof each === 'string')
    ? (record as Readonly<Record<string, string>>)
    : undefined
}

const recordsOf = (value: unknown): readonly Entry[] =>
  Array.isArray(value) ? value.map(recordOf).filter((each): each is Entry => each !== undefined) : []

function recordOf(value: unknown): Entry | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Entry) : undefined
}
