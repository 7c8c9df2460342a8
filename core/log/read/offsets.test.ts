import { expect, test } from 'vitest'
import { unpartitioned } from '../../model/partition.ts'
import { requestOf, testLog, testTable, testWorld } from '../world.case.ts'
import { bytesFrom, readOffsets } from './offsets.ts'

test('bytes from an offset are those of the latest commits, and the average of what came before', () => {
  const sizes = {
    older: { rows: 10n, bytes: 1_000n },
    recent: [
      { rows: 2n, bytes: 7n },
      { rows: 3n, bytes: 300n },
    ],
  }
  const end = 115n as never
  expect([115n, 112n, 110n, 109n, 100n].map((from) => bytesFrom({ end, sizes }, from))).toEqual([0n, 300n, 307n, 407n, 1_307n])
})

test('a head says the bytes of all its rows, spilled or not', async () => {
  const world = testWorld()
  const table = await testTable(world)
  const log = testLog(world)
  for (let i = 0; i < 30; i++) {
    world.time.now += 10
    await log.append(table, requestOf([i], undefined, 0))
  }
  const [offsets] = await readOffsets(world, table, [{ partition: unpartitioned, bucket: 0 }])
  if (offsets === undefined) throw new Error('no offsets')
  const { older, recent } = offsets.sizes
  expect(older.rows + BigInt(recent.length)).toBe(30n)
  expect(recent.length).toBeLessThan(30)
  const all = recent.reduce((sum, { bytes }) => sum + bytes, older.bytes)
  expect(bytesFrom(offsets, 0n)).toBe(all)
  // Requests of one row are of one size.
  expect(all).toBe(30n * (recent[0]?.bytes ?? 0n))
})
