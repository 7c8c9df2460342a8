/**
 * Row lineage of format version 3 (spec, "Row Lineage"). A commit gives the ids from the table's `next-row-id` on: the manifests of its
 * list that have no first id yet take a range each, as large as their rows, and a file that is new has its id from its manifest. So
 * neither files nor manifests know their ids before the commit, and the same bytes can be committed again over another state.
 * Tables of version 2 have none; rows that were written before an upgrade get theirs with the first commit after it. Pure.
 */
import type { FileLineage } from '../../ports/parquet.ts'

export type FormatVersion = 2 | 3

/** Ids that a snapshot gives: [first, first + added). */
export interface RowIds {
  readonly first: bigint
  readonly added: bigint
}

/** Null or absent: not given yet. */
interface Numbered {
  readonly first_row_id?: bigint | null
}

interface NumberedManifest extends Numbered {
  readonly content: number
  readonly added_rows_count: bigint
  readonly existing_rows_count: bigint
}

/** `manifests`: of one list, in its order. Manifests of delete files have no ids. */
export function assignRowIds<T extends NumberedManifest>(
  manifests: readonly T[],
  nextRowId: bigint,
): { readonly manifests: readonly T[]; readonly rowIds: RowIds } {
  let next = nextRowId
  const assigned = manifests.map((manifest): T => {
    if (manifest.content !== 0 || isAssigned(manifest.first_row_id)) return manifest
    const first = next
    // Existing files may be of before an upgrade, and have no id of their own either.
    next += manifest.added_rows_count + manifest.existing_rows_count
    return { ...manifest, first_row_id: first }
  })
  return { manifests: assigned, rowIds: { first: nextRowId, added: next - nextRowId } }
}

/** `live`: of a manifest, in its order. With the first ids that they have or inherit from it (spec, "First Row ID Inheritance"). */
export function inheritRowIds<T extends InheritingEntry>(live: readonly T[], { first_row_id: first }: Numbered): readonly T[] {
  if (!isAssigned(first)) return live
  let next = first
  return live.map((entry) => {
    const { data_file: file } = entry
    if (isAssigned(file.first_row_id)) return entry
    const inherited = { ...entry, data_file: { ...file, first_row_id: next } }
    next += file.record_count
    return inherited
  })
}

interface InheritingEntry {
  readonly data_file: Numbered & { readonly record_count: bigint }
}

/** Undefined: rows without ids, of before an upgrade; they get new ones wherever they are written. */
export function lineageOf(file: {
  readonly sequence_number: bigint | null
  readonly data_file: Numbered
}): FileLineage | undefined {
  const { sequence_number: sequence, data_file } = file
  const { first_row_id: firstRowId } = data_file
  return isAssigned(firstRowId) && sequence !== null ? { firstRowId, sequence } : undefined
}

const isAssigned = (id: bigint | null | undefined): id is bigint => id !== null && id !== undefined
