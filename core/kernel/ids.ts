/**
 * Identifiers. A label is a writer's clock in ms since 1970 as 12 lower-case hex digits, compared as text;
 * a random part is 16 hex digits; a table id is 16 hex digits. Offsets are branded bigints, decimal on the wire.
 */
import { hex } from './bytes.ts'
import type { Random } from './random.ts'

export type TableId = string & { readonly __brand: 'TableId' }
export type Label = string & { readonly __brand: 'Label' }
export type Offset = bigint & { readonly __brand: 'Offset' }

export const offsetOf = (value: bigint | number): Offset => BigInt(value) as Offset
export const labelOf = (ms: number): Label => Math.max(0, Math.floor(ms)).toString(16).padStart(12, '0') as Label
export const labelTime = (label: string): number => Number.parseInt(label, 16)
export const labelPattern = /^[0-9a-f]{12}$/
export const labelZero = '000000000000' as Label

export const randomId = (random: Random): string => hex(random.bytes(8))
export const newTableId = (random: Random): TableId => randomId(random) as TableId

/** Fixed-width decimal text whose order as text is its order as a number (0 … 10^19 − 1). */
export const sortable = (value: bigint): string => value.toString().padStart(19, '0')
