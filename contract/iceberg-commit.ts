/**
 * What a commit to a table holds, by the `type` of a requirement and the `action` of an update (Iceberg REST catalog). Fields that
 * engines add are let through. Ids have 63 bits: those that a double cannot hold come as bigints, and all of them leave as such.
 */
import * as z from 'zod/mini'

const text = z.string()
const number = z.int()
const wantedId = 'must be a snapshot id from 1 to 2^63 - 1'
const snapshotId = z.pipe(
  z
    .union([z.int(wantedId), z.bigint(wantedId)], wantedId)
    .check(z.refine((id) => BigInt(id) > 0n && BigInt(id) < 2n ** 63n, wantedId)),
  z.transform((id) => BigInt(id)),
)
const rowNumber = z.pipe(
  z.union([z.int().check(z.nonnegative('must be 0 or more')), z.bigint().check(z.nonnegative('must be 0 or more'))]),
  z.transform((value) => BigInt(value)),
)
const idsMax = 10_000
const snapshotIds = z.array(snapshotId).check(z.maxLength(idsMax, `has more than ${idsMax} entries`))
const properties = z.record(text, text)
const strings = z.array(text)
const positive = z.optional(z.int().check(z.positive('must be above 0')))
const positiveInt = z.optional(z.int().check(z.positive('must be above 0'), z.maximum(2 ** 31 - 1, 'must be below 2^31')))

export const requirementShapes = {
  'assert-create': z.object({ type: z.literal('assert-create') }),
  'assert-table-uuid': z.object({ type: z.literal('assert-table-uuid'), uuid: text }),
  'assert-ref-snapshot-id': z.object({
    type: z.literal('assert-ref-snapshot-id'),
    ref: text,
    'snapshot-id': z.optional(z.nullable(snapshotId)),
  }),
  'assert-last-assigned-field-id': z.object({
    type: z.literal('assert-last-assigned-field-id'),
    'last-assigned-field-id': number,
  }),
  'assert-current-schema-id': z.object({ type: z.literal('assert-current-schema-id'), 'current-schema-id': number }),
  'assert-last-assigned-partition-id': z.object({
    type: z.literal('assert-last-assigned-partition-id'),
    'last-assigned-partition-id': number,
  }),
  'assert-default-spec-id': z.object({ type: z.literal('assert-default-spec-id'), 'default-spec-id': number }),
  'assert-default-sort-order-id': z.object({
    type: z.literal('assert-default-sort-order-id'),
    'default-sort-order-id': number,
  }),
} as const

const snapshot = z.looseObject({
  'snapshot-id': snapshotId,
  'parent-snapshot-id': z.optional(snapshotId),
  'sequence-number': number,
  'timestamp-ms': number,
  'manifest-list': text,
  summary: properties,
  'schema-id': number,
  'first-row-id': z.optional(rowNumber),
  'added-rows': z.optional(rowNumber),
})
const size = z.int().check(z.nonnegative('must be 0 or more'))
// Every field that the specification demands: readers take no table that lacks one.
const partitionStatistics = z.looseObject({ 'snapshot-id': snapshotId, 'statistics-path': text, 'file-size-in-bytes': size })
const blob = z.looseObject({
  type: text,
  'snapshot-id': snapshotId,
  'sequence-number': number,
  fields: z.array(number),
  properties: z.optional(properties),
})
const statistics = z.looseObject({
  ...partitionStatistics.shape,
  'file-footer-size-in-bytes': size,
  'blob-metadata': z.array(blob),
})

export const updateShapes = {
  'assign-uuid': z.object({ action: z.literal('assign-uuid'), uuid: text }),
  'upgrade-format-version': z.object({ action: z.literal('upgrade-format-version'), 'format-version': number }),
  'set-location': z.object({ action: z.literal('set-location'), location: text }),
  'add-snapshot': z.object({ action: z.literal('add-snapshot'), snapshot }),
  'set-snapshot-ref': z.object({
    action: z.literal('set-snapshot-ref'),
    'ref-name': text,
    type: z.enum(['branch', 'tag'], 'must be branch or tag'),
    'snapshot-id': snapshotId,
    'max-ref-age-ms': positive,
    'max-snapshot-age-ms': positive,
    'min-snapshots-to-keep': positiveInt,
  }),
  'remove-snapshots': z.object({ action: z.literal('remove-snapshots'), 'snapshot-ids': snapshotIds }),
  'remove-snapshot-ref': z.object({ action: z.literal('remove-snapshot-ref'), 'ref-name': text }),
  'set-properties': z.object({ action: z.literal('set-properties'), updates: properties }),
  'remove-properties': z.object({ action: z.literal('remove-properties'), removals: strings }),
  'set-statistics': z.object({ action: z.literal('set-statistics'), statistics }),
  'remove-statistics': z.object({ action: z.literal('remove-statistics'), 'snapshot-id': snapshotId }),
  'set-partition-statistics': z.object({
    action: z.literal('set-partition-statistics'),
    'partition-statistics': partitionStatistics,
  }),
  'remove-partition-statistics': z.object({
    action: z.literal('remove-partition-statistics'),
    'snapshot-id': snapshotId,
  }),
} as const

/** What the specification has and this catalog refuses: by whom it is done instead. */
export const refusedActions: Readonly<Record<string, string>> = {
  'add-schema': 'columns change by PATCH of the table at /v1',
  'set-current-schema': 'columns change by PATCH of the table at /v1',
  'remove-schemas': 'columns change by PATCH of the table at /v1',
  'add-spec': 'the layout of a table is made when it is created',
  'set-default-spec': 'the layout of a table is made when it is created',
  'remove-partition-specs': 'the layout of a table is made when it is created',
  'add-sort-order': 'files are sorted by __offset',
  'set-default-sort-order': 'files are sorted by __offset',
  'add-encryption-key': 'lakes are not encrypted by engines',
  'remove-encryption-key': 'lakes are not encrypted by engines',
  'enable-row-lineage': 'the format version decides it',
}
