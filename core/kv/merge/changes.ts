/** The changelog of an operation: what became of the row of a key. Folded, the changes are the rows. */
import type { KeyedOptions } from '../../model/keyed.ts'

export interface Change<R> {
  readonly kind: '+I' | '-U' | '+U' | '-D'
  /** After `+`, as it is now; after `-`, as it was. */
  readonly row: R
}

/**
 * From the row before to the row after; undefined: there is none. The very same row: nothing happened. An equal one that was written
 * again did happen. With the image `wal` there is one change each, and of the row before only a delete's is told.
 */
export function changesOf<R>(
  image: KeyedOptions['changelogImage'],
  old: R | undefined,
  next: R | undefined,
): readonly Change<R>[] {
  if (old === next) return none
  if (next === undefined) return old === undefined ? none : [{ kind: '-D', row: old }]
  if (image === 'wal') return [{ kind: '+U', row: next }]
  if (old === undefined) return [{ kind: '+I', row: next }]
  return [
    { kind: '-U', row: old },
    { kind: '+U', row: next },
  ]
}

const none: readonly never[] = []
