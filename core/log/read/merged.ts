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
}

/** With its name, which is made once: it is looked up several times. */
export interface Asked extends Wanted {
  readonly id: string
}

const gapBytesMax = 32 * 1024
const mergedBytesMax = 4 * 1024 * 1024

/** One read. */
export type Group = readonly Asked[]

/** Each: ranges of one object, in order, with small gaps, of at most `bytesMax` together or one. */
export function merged<T extends Pick<Wanted, 'key' | 'start' | 'end'>>(
  wanted: readonly T[],
  bytesMax = mergedBytesMax,
): readonly (readonly T[])[] {
  const sorted = [...wanted].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.start - b.start))
  const groups: T[][] = []
  let last: T[] = []
  let end = 0
  for (const one of sorted) {
    const first = last[0]
    const fits = first?.key === one.key && one.start <= end + gapBytesMax && one.end - first.start <= bytesMax
    if (fits) last.push(one)
    else {
      last = [one]
      groups.push(last)
      end = 0
    }
    end = Math.max(end, one.end)
  }
  return groups
}

export const bytesIn = (group: Group): number => endOf(group) - (group[0] as Asked).start
export const endOf = (group: Group): number => group.reduce((most, { end }) => Math.max(most, end), 0)

export const idOf = ({ key, start, end }: Wanted): string => `${key}@${start}-${end}`

export const isInline = ([one]: Group): boolean => one?.key.endsWith('i') ?? false
