/**
 * A partition: the rows that agree in the table's partition columns. Its name is Hive's, `k=v/k2=v2`, escaped; its id decides,
 * because a name can be dropped and created again. Each partition has the table's buckets, and a bucket of a partition is one
 * ordered log. A table without partition columns has one partition without a name.
 */
import { type Offset, offsetOf } from '../kernel/ids.ts'

export interface Partition {
  /** 8 hex digits; empty where the table is not partitioned. */
  readonly id: string
  readonly name: string
  /** Where the offsets of its buckets begin: the greatest end that a partition of this name had before. */
  readonly floor: Offset
}

export const unpartitioned: Partition = { id: '', name: '', floor: offsetOf(0) }

/** One ordered log. */
export interface BucketId {
  /** Id of the partition. */
  readonly partition: string
  readonly bucket: number
}

/** For keys of maps and items: `3`, `5e0c12af#3`. */
export const bucketKey = ({ partition, bucket }: BucketId): string => (partition === '' ? `${bucket}` : `${partition}#${bucket}`)

/** The value of a null in a partition's name. */
export const nullValue = '__HIVE_DEFAULT_PARTITION__'

/** What Hive escapes in a name or a value, and other controls: characters that paths, URLs or globs take for their own. */
const special = /[\p{Cc}"#%'*/:=?\\{[\]^]/gu

export const escapePart = (text: string): string =>
  text.replace(special, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)

/** Undefined where it is not escaped as escapePart does. */
export function unescapePart(text: string): string | undefined {
  const plain = text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return escapePart(plain) === text ? plain : undefined
}

/** `k=v` of each level, with names and values as they are; null for a null. */
export function partitionName(levels: readonly { readonly column: string; readonly value: string | null }[]): string {
  return levels.map(({ column, value }) => `${escapePart(column)}=${value === null ? nullValue : escapeValue(value)}`).join('/')
}

/** A text that is the name of null is another value than null. */
const escapedNull = `%5F${nullValue.slice(1)}`
const escapeValue = (text: string): string => (text === nullValue ? escapedNull : escapePart(text))
const unescapeValue = (text: string): string | undefined => (text === escapedNull ? nullValue : unescapePart(text))

/** The levels of a name; undefined where it is not of the form. */
export function partitionLevels(name: string): readonly { readonly column: string; readonly value: string | null }[] | undefined {
  const levels = name.split('/').map((level) => {
    const equals = level.indexOf('=')
    const column = unescapePart(level.slice(0, Math.max(0, equals)))
    const text = level.slice(equals + 1)
    const value = text === nullValue ? null : unescapeValue(text)
    return equals > 0 && column !== undefined && value !== undefined ? { column, value } : undefined
  })
  return levels.every((level) => level !== undefined) ? levels : undefined
}

/** As the log's functions take a bucket: with all that its partition is. */
export interface BucketRef {
  readonly partition: Partition
  readonly bucket: number
}

export const idOf = ({ partition, bucket }: BucketRef): BucketId => ({ partition: partition.id, bucket })
