/** The changelog of an operation: what became of the row of a key. Folded, the changes are the rows. */
import type { KeyedOptions } from '../../model/keyed.ts'
import type { Row } from '../values.ts'

export interface Change {
  readonly kind: '+I' | '-U' | '+U' | '-D'
  /** After `+`, as it is now; after `-`, as it was. */
  readonly row: Row
}

/**
 * From the row before to the row after; undefined: there is none. The very same row: nothing happened. An equal one that was written
 * again did happen. With the image `wal` there is one change each, and of the row before only a delete's is told.
 */
export function changesOf(image: KeyedOptions['changelogImage'], old: Row | undefined, next: Row | undefined): readonly Change[] {
  if (old === next) return none
  if (next === undefined) return old === undefined ? none : [{ kind: '-D', row: old }]
  if (image === 'wal') return [{ kind: '+U', row: next }]
  if (old === undefined) return [{ kind: '+I', row: next }]
  return [
    { kind: '-U', row: old },
    { kind: '+U', row: next },
  ]
}

const none: readonly Change[] = []
