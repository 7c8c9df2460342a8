/**
 * Iceberg's JSON with exact integers. Snapshot ids have 63 bits, and JSON.parse alone rounds them: here they are bigints, however
 * small, and so is every other whole number that a double cannot hold. What is printed (core/kernel/exact-json.ts) has their digits.
 */

export type ExactJson = string | number | bigint | boolean | null | readonly ExactJson[] | { readonly [key: string]: ExactJson }

/** `snapshot-id`, `parent-snapshot-id`, `next-row-id`, `added-rows` and their like are bigints. */
export const parseExact = (text: string): ExactJson => parseSourced(text, reviveInteger)

function reviveInteger(key: string, value: ExactJson, { source }: { readonly source?: string }): ExactJson {
  if (typeof value !== 'number' || source === undefined) return value
  if (Number.isSafeInteger(value) ? !wide.test(key) : !Number.isInteger(value)) return value
  return /^-?[0-9]+$/.test(source) ? BigInt(source) : value
}

const wide = /(snapshot-id|row-id|added-rows)$/

// In V8 by now, not yet in TypeScript's library.
const parseSourced = JSON.parse as (text: string, reviver: typeof reviveInteger) => ExactJson
