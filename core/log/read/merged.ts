/**
 * Ranges that are asked for together, as reads of the store: those of one object that lie close are one, so that a request is not
 * spent on a gap that is read sooner.
 */

export interface Wanted {
  readonly key: string
  /** [start, end) in the object. */
  readonly start: number
  readonly end: number
  /** Throws `internal` on damage. False: nothing of it could be checked, so it is not kept. */
  readonly verify: (bytes: Uint8Array) => boolean
  /** Room for so many bytes right in front of it, which who asks may write: given where it costs nothing. */
  readonly front?: Front | undefined
}

export interface Front {
  /** A multiple of 8. */
  readonly bytes: number
  readonly give: (room: Uint8Array) => void
}

/** With its name, which is made once: it is looked up several times. */
export interface Asked extends Bytes {
  readonly wanted: Wanted
  readonly id: string
  /** Of 30 bits, likely to be its own: looked up sooner than its name. */
  readonly number: number
  /** Its index among those that are asked for. */
  readonly index: number
}

type Bytes = Pick<Wanted, 'key' | 'start' | 'end'>

const gapBytesMax = 32 * 1024
const mergedBytesMax = 4 * 1024 * 1024

/** One read: ranges of one object, in order, with small gaps. */
export interface Group<T extends Bytes = Asked> extends Bytes {
  readonly parts: readonly T[]
}

/** Of at most `bytesMax` together, or one. `wanted`: in order. */
export function merged<T extends Bytes>(wanted: readonly T[], bytesMax = mergedBytesMax): readonly Group<T>[] {
  const groups: { key: string; start: number; end: number; parts: T[] }[] = []
  let last: (typeof groups)[number] | undefined
  for (const one of wanted) {
    const { key, start, end } = one
    if (last?.key === key && start <= last.end + gapBytesMax && end - last.start <= bytesMax) {
      last.parts.push(one)
      last.end = Math.max(last.end, end)
    } else {
      last = { key, start, end, parts: [one] }
      groups.push(last)
    }
  }
  return groups
}

export const inOrder = <T extends Bytes>(wanted: readonly T[]): readonly T[] =>
  [...wanted].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.start - b.start))

/** Whether the ranges of each object follow each other, none twice, as they do where frames are read one after the other. */
function areInOrder(wanted: readonly Bytes[]): boolean {
  const seen = new Set<string>()
  let last: Bytes | undefined
  for (const one of wanted) {
    if (one.key !== last?.key) {
      if (seen.has(one.key)) return false
      seen.add(one.key)
    } else if (one.start <= last.start) return false
    last = one
  }
  return true
}

export interface Repeat {
  readonly index: number
  /** Index of the one that is read. */
  readonly of: number
}

/** Each once, in order. */
export function onceInOrder(asked: readonly Asked[]): { readonly once: readonly Asked[]; readonly repeats: readonly Repeat[] } {
  if (areInOrder(asked)) return { once: asked, repeats: [] }
  const firsts = new Map<string, Asked>()
  const repeats: Repeat[] = []
  for (const one of asked) {
    const first = firsts.get(one.id)
    if (first === undefined) firsts.set(one.id, one)
    else repeats.push({ index: one.index, of: first.index })
  }
  return { once: inOrder([...firsts.values()]), repeats }
}

export const idOf = ({ key, start, end }: Wanted): string => `${key}@${start}-${end}`

export const numberOf = (keyNumber: number, { start, end }: Wanted): number =>
  Math.imul(Math.imul(keyNumber ^ start, 0x9e3779b1) ^ end, 0x85ebca6b) >>> 2

export function keyNumberOf(key: string): number {
  let number = 0
  for (let i = 0; i < key.length; i++) number = (Math.imul(number, 31) + key.charCodeAt(i)) | 0
  return number
}

export const isInline = ({ key }: Group): boolean => key.endsWith('i')
