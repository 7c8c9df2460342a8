/** What the cases of ItemStores share. */
import type { Condition, ItemStore } from '../items.ts'

/** A case with a store, and a partition of its own in it. */
export type Story = (title: string, run: (items: ItemStore, p: string) => Promise<void>, timeoutMs?: number) => void

export const refusal = { name: 'SluiceError', code: 'internal', effect: 'none' }

export const all = (...conditions: Condition[]): Condition => ({ is: 'and', all: conditions })
export const any = (...conditions: Condition[]): Condition => ({ is: 'or', all: conditions })
