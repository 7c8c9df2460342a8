/** Runs and manifests come back as they were written; damage is an error of ours, never a row. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bytesOfSpan, concat, spanOf } from '../../kernel/bytes.ts'
import { isSluiceError } from '../../kernel/errors.ts'
import { labelOf } from '../../kernel/ids.ts'
import { decodeRunBlock, decodeRunBlocks, type KeyState, type RunRecord } from './block.ts'
import { briefManifest } from './brief.ts'
import { firstBlockAt, guideBytes, noGuide, partOf, withGuidesBounded } from './guide.ts'
import { decodeManifest, encodeManifest, type RunRef } from './manifest.ts'
import { decodeRunMeta, type EncodedRun, RunWriter } from './run.ts'
import { bytesOfText, textOf } from './text.ts'

const key = fc.uint8Array({ maxLength: 8 }).map((bytes) => textOf(bytes))
const state = fc.record({
  offset: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
  schemaId: fc.integer({ min: 1, max: 10_000 }),
  row: fc.option(fc.uint8Array({ maxLength: 3_000 }).map(spanOf), { nil: undefined }),
})
const records = fc
  .uniqueArray(fc.tuple(key, state), { minLength: 1, maxLength: 60, selector: ([each]) => each })
  .map((all) => all.map(([each, rest]): RunRecord => ({ key: each, ...rest })).sort((a, b) => (a.key < b.key ? -1 : 1)))

function encodeRun(all: readonly RunRecord[]): EncodedRun {
  const writer = new RunWriter()
  for (const record of all) writer.add(record)
  return writer.finish()
}

/** As a reader does: the meta, then the one block. */
function find(bytes: Uint8Array, metaStart: number, sought: string): KeyState | undefined {
  const meta = decodeRunMeta(bytes.subarray(metaStart), metaStart, 'a run')
  if (!meta.mayHave(sought)) return undefined
  const { start, end } = meta.range(meta.blockOf(sought))
  return decodeRunBlock(bytes.subarray(start, end), start, 'a run').find(sought)
}

test('every record is found by its key, and no other key is', () => {
  fc.assert(
    fc.property(records, key, (all, other) => {
      const run = encodeRun(all)
      const bytes = concat(run.pieces)
      expect(bytes.length).toBe(run.bytes)
      for (const record of all) expect(isSame(find(bytes, run.metaStart, record.key), record)).toBe(true)
      if (!all.some((record) => record.key === other)) expect(find(bytes, run.metaStart, other)).toBeUndefined()
      expect([run.first, run.last, run.records]).toEqual([all[0]?.key, all.at(-1)?.key, all.length])
    }),
  )
})

test('records that were read from blocks go into other blocks as they are', () => {
  fc.assert(
    fc.property(records, (all) => {
      const run = encodeRun(all)
      const bytes = concat(run.pieces)
      const blocks = [...decodeRunBlocks(bytes.subarray(firstBlockAt, run.metaStart), firstBlockAt, 'a run')]
      const read = blocks.flatMap((block) => block.from(0))
      expect(read.map(({ key: own }) => own)).toEqual(all.map(({ key: own }) => own))
      expect(Buffer.from(concat(encodeRun(read).pieces))).toEqual(Buffer.from(bytes))
    }),
  )
})

/** As a reader does who has the manifest alone. */
function findByGuide(bytes: Uint8Array, run: Pick<EncodedRun, 'guide' | 'metaStart'>, sought: string): KeyState | undefined {
  const { start, end } = partOf(run, sought)
  for (const block of decodeRunBlocks(bytes.subarray(start, end), start, 'a run')) {
    const record = block.find(sought)
    if (record !== undefined) return record
  }
  return undefined
}

test('by its guide too every record is found in one part, however coarse it was made', () => {
  fc.assert(
    fc.property(records, key, fc.nat(40), (all, other, length) => {
      const prefix = 'p'.repeat(length)
      const run = encodeRun(all.map((record) => ({ ...record, key: prefix + record.key })))
      const bytes = concat(run.pieces)
      const many = Array.from({ length: 2_000 }, () => run)
      for (const { guide } of [
        run,
        { guide: noGuide },
        ...withGuidesBounded(many).slice(0, 2),
        ...withGuidesBounded(many).slice(-1),
      ])
        for (const sought of [...all.map((record) => record.key), other]) {
          const found = findByGuide(bytes, { guide, metaStart: run.metaStart }, prefix + sought)
          const record = all.find((each) => each.key === sought)
          expect(isSame(found, record)).toBe(true)
        }
    }),
  )
})

test('the guides of a manifest are bounded, their parts too, and those of the first runs stay; a second time changes nothing', () => {
  const keys = Array.from({ length: 1_024 }, (_, i) => `k${String(i).padStart(8, '0')}`)
  const guide = { keys: keys.slice(1), starts: keys.slice(1).map((_, i) => 8 + 16_400 * (i + 1)) }
  const metaStart = 8 + 16_400 * keys.length
  for (const count of [1, 4, 8, 30, 100, 5_000]) {
    const runs = withGuidesBounded(Array.from({ length: count }, () => ({ guide, metaStart })))
    expect(runs.reduce((sum, run) => sum + guideBytes(run.guide), 0)).toBeLessThanOrEqual(64 * 1_024)
    const { start, end } = partOf(runs[0] as (typeof runs)[number], 'k00000500')
    expect(end - start).toBeLessThanOrEqual(128 * 1_024 + 16_400)
    const without = runs.findIndex((run) => run.guide.keys.length === 0)
    expect(runs.slice(without).every((run) => run.guide.keys.length === 0) || without < 0).toBe(true)
    expect(without < 0 ? count : without).toBeGreaterThanOrEqual(Math.min(count, 30))
    expect(withGuidesBounded(runs)).toEqual(runs)
  }
})

test('a brief manifest has the same runs in 8 KiB, its parts few enough to be read at once, or there is none', () => {
  const keys = Array.from({ length: 1_024 }, (_, i) => `k${String(i).padStart(8, '0')}`)
  const guide = { keys: keys.slice(1), starts: keys.slice(1).map((_, i) => 8 + 16_400 * (i + 1)) }
  const runsOf = (levels: readonly number[]): readonly RunRef[] =>
    levels.map((level, i) => ({
      level,
      object: { label: labelOf(1), random: String(i).padStart(16, '0'), inline: false, directory: 0 },
      bytes: 16_400 * 1_024 + 100,
      metaStart: 8 + 16_400 * 1_024,
      records: 9,
      deleted: 1,
      first: 'a',
      last: 'z',
      guide,
    }))
  for (const [levels, has] of [
    [[], true],
    [[0], true],
    [[0, 0, 1, 1], true],
    [[0, 0, 0, 0, 1, 1, 1], false],
    [Array.from({ length: 12 }, () => 0), false],
    [Array.from({ length: 400 }, () => 1), false],
  ] as const) {
    const runs = runsOf(levels)
    const bytes = briefManifest(runs)
    expect(bytes !== undefined).toBe(has)
    if (bytes === undefined) continue
    expect(bytes.length).toBeLessThanOrEqual(8 * 1_024)
    const brief = decodeManifest(bytes, 'a copy')
    expect(brief.map((run) => ({ ...run, guide }))).toEqual(runs)
    const parts = brief.map((run) => partOf(run, 'k00000500')).reduce((sum, { start, end }) => sum + end - start, 0)
    expect(parts).toBeLessThanOrEqual(1_024 * 1_024)
  }
})

test('a flipped bit or a missing end is damage, wherever it is read', () => {
  const all = Array.from({ length: 400 }, (_, i): RunRecord => {
    const row = i % 7 === 0 ? undefined : spanOf(new Uint8Array(100).fill(i))
    return { key: `k${String(i).padStart(4, '0')}`, offset: BigInt(i), schemaId: 1, row }
  })
  const run = encodeRun(all)
  const bytes = concat(run.pieces)
  fc.assert(
    fc.property(fc.integer({ min: 8, max: bytes.length - 1 }), fc.nat(7), (place, bit) => {
      const damaged = bytes.slice()
      damaged[place] = (damaged[place] as number) ^ (1 << bit)
      const ways = [
        (sought: string) => find(damaged, run.metaStart, sought),
        ...(place < run.metaStart ? [run, { ...run, guide: noGuide }] : []).map(
          (own) => (sought: string) => findByGuide(damaged, own, sought),
        ),
      ]
      for (const way of ways) {
        const found = all.map(({ key: sought }) => {
          try {
            return way(sought)
          } catch (error) {
            if (!isSluiceError(error, 'internal')) throw error
            return 'damaged'
          }
        })
        expect(found).toContain('damaged')
        expect(found.filter((each, i) => each !== 'damaged' && !isSame(each, all[i]))).toEqual([])
      }
    }),
    { numRuns: 60 },
  )
  const short = bytes.subarray(run.metaStart, bytes.length - 1)
  expect(() => decodeRunMeta(short, run.metaStart, 'r')).toThrow(/the meta of r is damaged/)
})

test('of every single byte that is changed, each record comes as it was or as damage, and a reader tells each change that it reads', () => {
  const all = Array.from({ length: 12 }, (_, i): RunRecord => {
    const row = i % 5 === 0 ? undefined : spanOf(Uint8Array.of(i, 0, 255))
    return { key: `k${String(i).padStart(2, '0')}`, offset: BigInt(i), schemaId: 1, row }
  })
  const run = encodeRun(all)
  const bytes = concat(run.pieces)
  for (let place = 0; place < bytes.length; place++)
    for (const bits of [1, 128, 255]) {
      const damaged = bytes.slice()
      damaged[place] = (damaged[place] as number) ^ bits
      const told = all.map((record) => {
        try {
          return isSame(find(damaged, run.metaStart, record.key), record) ? 'same' : 'other'
        } catch (error) {
          return isSluiceError(error, 'internal') ? 'damaged' : 'failed'
        }
      })
      expect(new Set(told), `byte ${place}`).toEqual(new Set([place < headBytes ? 'same' : 'damaged']))
    }
})

/** Read by nobody: a manifest says what lies where. */
const headBytes = 8

/** Of one key. */
const isSame = (a: KeyState | undefined, b: KeyState | undefined): boolean =>
  (a === undefined) === (b === undefined) &&
  a?.offset === b?.offset &&
  a?.schemaId === b?.schemaId &&
  `${a?.row && bytesOfSpan(a.row)}` === `${b?.row && bytesOfSpan(b.row)}`

test('a manifest names its runs again, and damage to it is an error', () => {
  const run: RunRef = {
    level: 1,
    object: { label: labelOf(1_700_000_000_000), random: '00112233445566ff', inline: true, directory: 7 },
    bytes: 5_000_000,
    metaStart: 4_000_000,
    records: 10,
    deleted: 1,
    first: textOf(Uint8Array.of(0, 255)),
    last: 'z',
    guide: { keys: ['a', 'k'], starts: [20_000, 3_000_000] },
  }
  const bytes = encodeManifest([run, { ...run, level: 2 }])
  expect(decodeManifest(bytes, 'm')).toEqual([run, { ...run, level: 2 }])
  expect(decodeManifest(encodeManifest([]), 'm')).toEqual([])
  for (let place = 0; place < bytes.length; place++) {
    const damaged = bytes.slice()
    damaged[place] = (damaged[place] as number) ^ 4
    expect(() => decodeManifest(damaged, 'm')).toThrow(/the manifest m is damaged/)
  }
})

/** Kept for ever: old runs must stay readable. */
test('the bytes of version 1 stay as they are', () => {
  const run = encodeRun([{ key: 'a', offset: 3n, schemaId: 2, row: spanOf(bytesOfText('row')) }])
  expect(Buffer.from(concat(run.pieces)).toString('hex')).toMatchInlineSnapshot(
    `"5352554e010000000100000200000003000000000000000300000061726f770000000001000000d8b8477b0101000000000000000100000023000000010061010061080000000280002400014800230000009647e767"`,
  )
})

test('a manifest of version 1 is read as one without guides', () => {
  const hex = '534d414e0101000000010068e5cf8b0100112233445566ff010784030000200300000a0000000100000001006101007a851c9bc4'
  const [run] = decodeManifest(new Uint8Array(Buffer.from(hex, 'hex')), 'm')
  expect([run?.records, run?.first, run?.last, run?.guide]).toEqual([10, 'a', 'z', noGuide])
  expect(run && partOf(run, 'k')).toEqual({ start: 8, end: 800 })
})
