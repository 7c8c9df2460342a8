/**
 * Values that arrive as text (path segments, query parameters, headers), each with one schema. Numbers are read
 * with BigInt, never through a double, so that 2^53 + 1 is itself and 2^63 is an error.
 */
import * as z from 'zod/mini'
import { limits } from '../core/kernel/limits.ts'

const namePattern = /^(?!__)[A-Za-z0-9_-]{1,200}$/

/** Database or table. */
export const name = z
  .string()
  .check(
    z.regex(namePattern, 'must be 1 to 200 of A-Z a-z 0-9 _ -, and not begin with __'),
    z.meta({ id: 'Name', description: 'a database or table name' }),
  )

export const flag = z.pipe(
  z.enum(['true', 'false'], 'must be true or false').check(z.meta({ override: shownAs({ type: 'boolean' }) })),
  z.transform((text) => text === 'true'),
)

/** Decimal digits, no sign, within [min, max]. */
export function integer(min: bigint, max: bigint, description: string) {
  const wanted = `must be a whole number from ${min} to ${max}, written in digits alone`
  return z.pipe(
    z
      .string()
      .check(
        z.regex(/^[0-9]{1,40}$/, wanted),
        z.refine((text) => within(text, min, max), wanted),
      )
      .check(z.meta({ description, override: integerSchema(min, max) })),
    z.transform((text) => BigInt(text)),
  )
}

/** As `integer`, for ranges that a double holds exactly. */
export function count(min: number, max: number, description: string) {
  const wanted = `must be a whole number from ${min} to ${max}, written in digits alone`
  return z.pipe(
    z
      .string()
      .check(
        z.regex(/^[0-9]{1,40}$/, wanted),
        z.refine((text) => within(text, BigInt(min), BigInt(max)), wanted),
      )
      .check(z.meta({ description, override: integerSchema(BigInt(min), BigInt(max)) })),
    z.transform((text) => Number(text)),
  )
}

function within(text: string, min: bigint, max: bigint): boolean {
  if (!/^[0-9]{1,40}$/.test(text)) return true
  const value = BigInt(text)
  return value >= min && value <= max
}

/** What the text means, for the description. */
function shownAs(schema: object) {
  return ({ jsonSchema }: { jsonSchema: object }) => {
    for (const key of ['pattern', 'enum', 'type']) Reflect.deleteProperty(jsonSchema, key)
    Object.assign(jsonSchema, schema)
  }
}

function integerSchema(min: bigint, max: bigint) {
  const bounds = max <= BigInt(Number.MAX_SAFE_INTEGER) ? { maximum: Number(max) } : { format: 'int64' }
  return shownAs({ type: 'integer', minimum: Number(min), ...bounds })
}

/** A 63-bit unsigned number: offsets, sequences, epochs. */
export const uint63 = (description: string) => integer(0n, limits.offsetMax, description)

/** Of a limit: more than is possible is as much as is possible. */
export const atLeastOne = (description: string) => integer(1n, limits.offsetMax, description)

/** `20s`, `500ms`: ms. */
export const wait = z.pipe(
  z.string().check(
    z.regex(/^[0-9]{1,9}(ms|s|m)$/, 'must be a duration such as 500ms or 20s, at most 20s'),
    z.refine((text) => waitMs(text) <= limits.waitMsMax, 'must be at most 20s'),
    z.meta({ description: 'how long to wait for rows or work, at most 20s' }),
  ),
  z.transform(waitMs),
)

function waitMs(text: string): number {
  const match = /^([0-9]{1,9})(ms|s|m)$/.exec(text)
  if (match === null) return 0
  return Number(match[1]) * (match[2] === 'ms' ? 1 : match[2] === 's' ? 1000 : 60_000)
}

const listOf = (nameLengthMax: number) =>
  z.strictObject({
    limit: z.optional(count(1, limits.listLimitMax, 'entries a page, 100 if absent')),
    after: z.optional(
      z.string().check(z.maxLength(nameLengthMax, 'is too long'), z.meta({ description: 'the last name of the page before' })),
    ),
  })

export const listQuery = listOf(limits.nameLengthMax)
/** Of partitions and their buckets. */
export const partitionListQuery = listOf(limits.partitionNameBytesMax + 8)
