/** The changelog of an operation: what became of the row of a key. Folded, the changes are the rows. */
import type { KeyedOptions } from '../../model/keyed.ts'

export type ChangeKind = '+I' | '-U' | '+U' | '-D'

/**
 * From the row before to the row after, in order: after `+` as it is now, after `-` as it was; undefined: there is none. The very same row:
 * nothing happened. An equal one that was written again did happen. With the image `wal` there is one change each, and of the row before
 * only a delete's is told.
 */
export function tellChanges<R>(
  image: KeyedOptions['changelogImage'],
  old: R | undefined,
  next: R | undefined,
  tell: (kind: ChangeKind, row: R) => void,
): void {
  if (old === next) return
  if (next === undefined) {
    if (old !== undefined) tell('-D', old)
  } else if (image === 'wal') tell('+U', next)
  else if (old === undefined) tell('+I', next)
  else {
    tell('-U', old)
    tell('+U', next)
  }
}
