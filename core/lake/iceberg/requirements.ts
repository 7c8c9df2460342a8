/**
 * What an engine demands of a table before its updates are applied (Iceberg REST catalog, "TableRequirement"). Pure. One that does not
 * hold is a `conflict` without effect: the engine loads the table again and decides.
 */
import { SluiceError } from '../../kernel/errors.ts'
import type { TableMetadata } from './metadata.ts'

export type TableRequirement =
  | { readonly type: 'assert-create' }
  | { readonly type: 'assert-table-uuid'; readonly uuid: string }
  /** null: there is no such ref. */
  | { readonly type: 'assert-ref-snapshot-id'; readonly ref: string; readonly 'snapshot-id'?: bigint | null | undefined }
  | { readonly type: 'assert-last-assigned-field-id'; readonly 'last-assigned-field-id': number }
  | { readonly type: 'assert-current-schema-id'; readonly 'current-schema-id': number }
  | { readonly type: 'assert-last-assigned-partition-id'; readonly 'last-assigned-partition-id': number }
  | { readonly type: 'assert-default-spec-id'; readonly 'default-spec-id': number }
  | { readonly type: 'assert-default-sort-order-id'; readonly 'default-sort-order-id': number }

export function checkRequirements(metadata: TableMetadata, requirements: readonly TableRequirement[]): void {
  for (const requirement of requirements) checkRequirement(metadata, requirement)
}

function checkRequirement(metadata: TableMetadata, requirement: TableRequirement): void {
  switch (requirement.type) {
    case 'assert-create':
      throw unmet(requirement.type, 'absent', 'there')
    case 'assert-table-uuid':
      return same(requirement.type, requirement.uuid.toLowerCase(), metadata['table-uuid'])
    case 'assert-ref-snapshot-id':
      return same(
        `${requirement.type} ${requirement.ref}`,
        requirement['snapshot-id'] ?? undefined,
        Object.hasOwn(metadata.refs, requirement.ref) ? metadata.refs[requirement.ref]?.['snapshot-id'] : undefined,
      )
    case 'assert-last-assigned-field-id':
      return same(requirement.type, requirement['last-assigned-field-id'], metadata['last-column-id'])
    case 'assert-current-schema-id':
      return same(requirement.type, requirement['current-schema-id'], metadata['current-schema-id'])
    case 'assert-last-assigned-partition-id':
      return same(requirement.type, requirement['last-assigned-partition-id'], metadata['last-partition-id'])
    case 'assert-default-spec-id':
      return same(requirement.type, requirement['default-spec-id'], metadata['default-spec-id'])
    case 'assert-default-sort-order-id':
      return same(requirement.type, requirement['default-sort-order-id'], metadata['default-sort-order-id'])
  }
}

type Value = string | number | bigint | undefined

function same(what: string, wanted: Value, found: Value): void {
  if (wanted !== found) throw unmet(what, wanted, found)
}

const unmet = (what: string, wanted: Value, found: Value): SluiceError =>
  new SluiceError('conflict', `${what} does not hold: wanted ${wanted ?? 'none'}, it is ${found ?? 'none'}`, {
    facts: { requirement: what },
  })
