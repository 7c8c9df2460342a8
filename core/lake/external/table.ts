/**
 * The external table of a table of ours: found, made where it is absent, checked, and brought to our columns, before any row goes
 * to it. Each step is one commit of the catalog that holds only for what was seen, and may be repeated.
 */
import { SluiceError } from '../../kernel/errors.ts'
import type { Table } from '../../model/table.ts'
import type { CatalogTable, LakeCatalog, LakeCatalogs } from '../../ports/lake-catalog.ts'
import type { ObjectStore } from '../../ports/objects.ts'
import { partitionSpec } from '../iceberg/partition-spec.ts'
import { icebergSchema, offsetColumn } from '../iceberg/schema.ts'
import { type ExternalSpec, type ExternalTable, factsOf, hostile, nameOf, tableOf } from './answer.ts'
import { type ColumnsPlan, columnsProperty, planColumns } from './columns.ts'
import { tableIdProperty } from './points.ts'

export interface ExternalPlace {
  readonly catalog: LakeCatalog
  readonly name: CatalogTable
  /** A table of another's making was asked for. */
  readonly isNamed: boolean
}

/** Undefined: the lake is our own. Error `bad-request`: the deployment has no catalog of that name. */
export function externalPlace(
  catalogs: LakeCatalogs | undefined,
  table: Pick<Table, 'database' | 'name' | 'options'>,
): ExternalPlace | undefined {
  const { lakeCatalog } = table.options
  if (lakeCatalog === undefined) return undefined
  const catalog = catalogs?.get(lakeCatalog.name)
  if (catalog === undefined) {
    const known = [...(catalogs?.keys() ?? [])].join(', ') || 'none'
    throw new SluiceError(
      'bad-request',
      `lake.catalog=${lakeCatalog.name} is not a catalog of this deployment (it has ${known}): name it in SLUICE_CATALOGS`,
      { action: 'stop', facts: { catalog: lakeCatalog.name } },
    )
  }
  const namespace = (lakeCatalog.namespace ?? table.database).split('.')
  return { catalog, name: { namespace, table: lakeCatalog.table ?? table.name }, isNamed: lakeCatalog.table !== undefined }
}

/** What would be refused at the first commit is refused before the table is made. */
export async function checkExternal(place: ExternalPlace, table: Table): Promise<void> {
  const external = await loadExternal(place)
  const location = external?.location ?? place.catalog.locationFor(place.name)
  if (location !== undefined) place.catalog.objectsAt(location)
  if (external !== undefined) fits(place, table, external)
}

export async function loadExternal({ catalog, name }: ExternalPlace): Promise<ExternalTable | undefined> {
  const answer = await catalog.load(name)
  return answer === undefined ? undefined : tableOf(catalog, name, answer)
}

export interface ReadyTable {
  readonly external: ExternalTable
  readonly columns: ColumnsPlan
}

/** `uuid`: of the table that earlier commits went to. */
export async function readyExternal(place: ExternalPlace, table: Table, uuid: string | undefined): Promise<ReadyTable> {
  for (let attempt = 1; attempt <= attemptsMax; attempt++) {
    const external = (await loadExternal(place)) ?? (uuid === undefined ? await createExternal(place, table) : undefined)
    if (external === undefined) throw gone(place)
    if (uuid !== undefined && external.uuid !== uuid) throw other(place, external.uuid, uuid)
    accessible(place, external)
    const columns = fits(place, table, external)
    const properties = { [tableIdProperty]: table.tableId, [columnsProperty]: columns.mapping }
    const upgrades = table.options.lakeFormatVersion === 3 && external.formatVersion === 2
    const isBound = !upgrades && Object.entries(properties).every(([name, text]) => external.properties[name] === text)
    if (columns.changed === undefined && isBound) return { external, columns }
    await bind(place, external, columns, { properties, upgrades })
  }
  throw new SluiceError('conflict', `${nameOf(place.catalog, place.name)} is being altered by others again and again`, {
    action: 'retry',
    facts: factsOf(place.catalog, place.name),
  })
}

const attemptsMax = 5

/** The format version, columns, and the properties that say whose they are. What became of it is seen by loading the table again. */
async function bind(
  { catalog, name }: ExternalPlace,
  { uuid, schema, lastColumnId }: ExternalTable,
  { changed }: ColumnsPlan,
  { properties, upgrades }: { readonly properties: Readonly<Record<string, string>>; readonly upgrades: boolean },
): Promise<void> {
  const upgraded = upgrades ? [{ action: 'upgrade-format-version', 'format-version': 3 }] : []
  const altered = changed && [
    {
      action: 'add-schema',
      schema: { ...schema, 'schema-id': schema['schema-id'] + 1, fields: changed.fields },
      'last-column-id': changed.lastColumnId,
    },
    { action: 'set-current-schema', 'schema-id': -1 },
  ]
  await catalog.commit(name, {
    requirements: [
      { type: 'assert-table-uuid', uuid },
      { type: 'assert-current-schema-id', 'current-schema-id': schema['schema-id'] },
      { type: 'assert-last-assigned-field-id', 'last-assigned-field-id': lastColumnId },
    ],
    updates: [...upgraded, ...(altered ?? []), { action: 'set-properties', updates: properties }],
  }) // COMMIT POINT: of the columns
}

/** The catalog gives field ids of its own. A table that is there by now may be ours: it is loaded again. */
async function createExternal(place: ExternalPlace, table: Table): Promise<ExternalTable | undefined> {
  const { catalog, name } = place
  const location = catalog.locationFor(name)
  const answer = await catalog.create(name, {
    ...(location !== undefined && { location }),
    schema: icebergSchema(table.schema),
    'partition-spec': partitionSpec(table),
    'write-order': {
      'order-id': 1,
      fields: [{ transform: 'identity', 'source-id': offsetColumn.id, direction: 'asc', 'null-order': 'nulls-first' }],
    },
    properties: {
      'format-version': String(table.options.lakeFormatVersion ?? 2),
      'write.parquet.compression-codec': 'zstd',
      [tableIdProperty]: table.tableId,
    },
  })
  return answer === 'exists' ? loadExternal(place) : tableOf(catalog, name, answer)
}

/** The columns, after all that could forbid to write there. */
function fits(place: ExternalPlace, table: Table, external: ExternalTable): ColumnsPlan {
  const { catalog, name, isNamed } = place
  const owner = external.properties[tableIdProperty]
  if (owner === undefined && !isNamed) {
    throw new SluiceError(
      'exists',
      `${nameOf(catalog, name)} is there already: say lake.table=${name.table} to put rows into it, or choose another name`,
      { facts: factsOf(catalog, name) },
    )
  }
  if (owner !== undefined && owner !== table.tableId) {
    throw new SluiceError('exists', `${nameOf(catalog, name)} belongs to another table of sluice: choose another lake.table`, {
      action: 'stop',
      facts: { ...factsOf(catalog, name), owner: owner.slice(0, 64) },
    })
  }
  const columns = planColumns(table, external, owner !== undefined)
  checkSpec(place, table, external, columns)
  return columns
}

/** Files of one bucket each fit a table without partitions, or one that partitions as we would. */
function checkSpec({ catalog, name }: ExternalPlace, table: Table, { spec }: ExternalTable, columns: ColumnsPlan): void {
  if (spec.fields.length === 0) return
  const at = strangeField(table, spec, columns)
  if (at === undefined) return
  const strange = spec.fields[at] ?? spec.fields[0]
  throw new SluiceError(
    'invalid-schema',
    `${nameOf(catalog, name)} does not fit: it is partitioned by ${JSON.stringify(strange?.name.slice(0, 200))} (${strange?.transform.slice(0, 64)}), and rows go only into tables without partitions or with those of sluice`,
    { facts: { ...factsOf(catalog, name), partition: strange?.name.slice(0, 200) } },
  )
}

/** Which field is not as ours; undefined: all are. */
export function strangeField(
  table: Table,
  { fields }: ExternalSpec,
  { mapping }: Pick<ColumnsPlan, 'mapping'>,
): number | undefined {
  const ids = JSON.parse(mapping) as Record<string, number>
  const wanted = partitionSpec(table).fields.map((field) => `${field.transform} of ${ids[field['source-id']]}`)
  const found = fields.map((field) => `${field.transform} of ${field['source-id']}`)
  if (found.length === wanted.length && found.every((each, i) => each === wanted[i])) return undefined
  return Math.max(
    0,
    fields.findIndex((_, i) => found[i] !== wanted[i]),
  )
}

/** Errors: `bad-request` where this deployment cannot write to the table's location. */
export const accessible = ({ catalog }: ExternalPlace, { location }: ExternalTable): ObjectStore => catalog.objectsAt(location)

const gone = ({ catalog, name }: ExternalPlace): SluiceError =>
  new SluiceError('conflict', `${nameOf(catalog, name)} is not there any more: restore it, or drop the table here`, {
    action: 'stop',
    facts: factsOf(catalog, name),
  })

const other = ({ catalog, name }: ExternalPlace, found: string, wanted: string): SluiceError =>
  hostile(catalog, name, `another table than the one that was committed to (uuid ${found}, not ${wanted})`)
