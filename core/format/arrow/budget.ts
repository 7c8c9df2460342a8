/** A bound on bytes that input may make us allocate; spent before the allocation, so that a small body cannot ask for a large one. */
import { SluiceError } from '../../kernel/errors.ts'

export interface Budget {
  left: number
  readonly total: number
}

export const budgetOf = (bytes: number): Budget => ({ left: bytes, total: bytes })

export function spend(budget: Budget, bytes: number): void {
  budget.left -= bytes
  if (budget.left >= 0) return
  throw new SluiceError('too-large', `the rows take more than ${budget.total} bytes when expanded; send fewer in a request`, {
    facts: { expandedBytesMax: budget.total },
  })
}
