/** Sets of numbers to roaring bitmaps of plain containers and back, for tests. */
import fc from 'fast-check'
import { arrayMax, bytesOfContainer, type Container, unionOf } from './container.ts'
import type { Roaring32 } from './roaring32.ts'
import type { Roaring64 } from './roaring64.ts'

export function roaring32Of(values: Iterable<number>): Roaring32 {
  const groups = grouped(values, (value) => [Math.floor(value / 65536), value % 65536])
  return { keys: [...groups.keys()], containers: [...groups.values()].map((lows) => containerOf(lows.map(Number))) }
}

export function roaring64Of(values: Iterable<bigint>): Roaring64 {
  const groups = grouped(values, (value) => [Number(value >> 32n), Number(value & 0xffffffffn)])
  return { keys: [...groups.keys()], bitmaps: [...groups.values()].map(roaring32Of) }
}

export const numbersOf = ({ keys, containers }: Roaring32): number[] =>
  containers.flatMap((container, i) => lowsOf(container).map((low) => (keys[i] ?? 0) * 65536 + low))

export const bigintsOf = ({ keys, bitmaps }: Roaring64): bigint[] =>
  bitmaps.flatMap((bitmap, i) => numbersOf(bitmap).map((low) => (BigInt(keys[i] ?? 0) << 32n) | BigInt(low)))

/** As the bitmap's own writer would choose, without and with runs. */
function containerOf(lows: readonly number[]): Container {
  const half = { kind: 'array', values: Uint16Array.from(lows.slice(0, arrayMax)) } as const
  const single = (low: number | undefined): Container => ({ kind: 'array', values: Uint16Array.of(low ?? 0) })
  if (lows.length <= arrayMax) return unionOf(half, single(lows[0]))
  const bits = new Uint8Array(8192)
  for (const low of lows) bits[low >>> 3] = (bits[low >>> 3] ?? 0) | (1 << (low & 7))
  return unionOf({ kind: 'bits', bits, count: lows.length }, single(lows[0]))
}

function lowsOf(container: Container): number[] {
  if (container.kind === 'array') return [...container.values]
  if (container.kind === 'runs') {
    return Array.from({ length: container.pairs.length / 2 }, (_, i) => i * 2).flatMap((at) =>
      Array.from({ length: (container.pairs[at + 1] ?? 0) + 1 }, (_, k) => (container.pairs[at] ?? 0) + k),
    )
  }
  const bytes = bytesOfContainer(container)
  return Array.from({ length: 65536 }, (_, i) => i).filter((i) => (((bytes[i >>> 3] ?? 0) >>> (i & 7)) & 1) === 1)
}

function grouped<T extends number | bigint>(values: Iterable<T>, split: (value: T) => [number, number]): Map<number, number[]> {
  const groups = new Map<number, number[]>()
  for (const value of [...new Set(values)].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))) {
    const [high, low] = split(value)
    const group = groups.get(high)
    if (group === undefined) groups.set(high, [low])
    else group.push(low)
  }
  return groups
}

/** Sparse values, long runs, dense containers, and neighbours across the border of two. */
export const anySet: fc.Arbitrary<number[]> = fc
  .array(
    fc.oneof(
      fc.nat(0xffffffff).map((value) => [value]),
      fc.nat(200_000).map((value) => [value]),
      fc
        .tuple(fc.nat(200_000), fc.nat(70_000), fc.integer({ min: 1, max: 3 }))
        .map(([start, length, step]) => Array.from({ length: Math.ceil(length / step) }, (_, i) => start + i * step)),
    ),
    { maxLength: 6 },
  )
  .map((parts) => parts.flat())
