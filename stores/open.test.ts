import { mkdtemp, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { utf8, utf8Text } from '../core/kernel/bytes.ts'
import { labelOf } from '../core/kernel/ids.ts'
import { keysOf } from '../core/ports/objects.case.ts'
import { Counts } from './decorators/count.ts'
import { JumpingClock, seededRandom } from './decorators/testing.ts'
import { openStores, type Stores, type StoresConfig } from './open.ts'

async function within(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'sluice-open-')))
  try {
    await run(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

let seed = 1
const open = (config: Partial<StoresConfig>): Promise<Stores> =>
  openStores({ clock: new JumpingClock(), random: seededRandom(seed++), ...config })
const inlineKey = `t/${'a'.repeat(16)}/00/${labelOf(1_900_000_000_000)}-${'b'.repeat(16)}i`

test('a data directory keeps objects and items', () =>
  within(async (folder) => {
    const data = join(folder, 'new', 'data')
    const first = await open({ data })
    await first.objects.create('lake/x', utf8('object'))
    await first.objects.create(inlineKey, utf8('inline'))
    await first.items.create({ key: { partition: 'p', sort: 's' }, attributes: { v: 1n } })
    await first.close()
    const second = await open({ data })
    expect(utf8Text(await second.objects.read('lake/x'))).toBe('object')
    expect(utf8Text(await second.objects.read(inlineKey))).toBe('inline')
    expect((await second.items.get({ partition: 'p', sort: 's' }))?.attributes.v).toBe(1n)
    expect(await keysOf(second.objects, 'probe/')).toEqual([])
    await second.close()
  }))

test('a data directory that was moved is refused with both paths', () =>
  within(async (folder) => {
    const [from, to] = [join(folder, 'from'), join(folder, 'to')]
    await (await open({ data: from })).close()
    await rename(from, to)
    const message = `data directory ${to} was made at ${from}, and its lake metadata names files there: move it back to ${from}, or use an empty directory`
    await expect(open({ data: to })).rejects.toMatchObject({
      code: 'not-supported',
      action: 'stop',
      message,
      facts: { from, to },
    })
    await rename(to, from)
    await symlink(from, to)
    await (await open({ data: to })).close()
  }))

test('two opens of a new directory at once agree', () =>
  within(async (folder) => {
    const opened = await Promise.all([open({ data: folder }), open({ data: folder })])
    await Promise.all(opened.map((stores) => stores.close()))
  }))

test('what is no data directory is refused with a reason', () =>
  within(async (folder) => {
    await writeFile(join(folder, 'file'), '')
    await expect(open({ data: join(folder, 'file') })).rejects.toMatchObject({
      code: 'unavailable',
      action: 'stop',
      message: /cannot be opened/,
    })
    await writeFile(join(folder, 'path.json'), '{')
    await expect(open({ data: folder })).rejects.toMatchObject({ code: 'internal', message: /path.json is damaged/ })
    await expect(open({})).rejects.toMatchObject({ code: 'bad-request', message: /set data or objects/ })
    await expect(open({ objects: 'gs://bucket' })).rejects.toMatchObject({
      code: 'bad-request',
      message: /s3:\/\/bucket\/prefix/,
    })
    await expect(open({ data: join(folder, 'd'), items: 'dynamodb://' })).rejects.toMatchObject({ code: 'bad-request' })
  }))

test('an item file that is no database is refused with a reason', () =>
  within(async (folder) => {
    await writeFile(join(folder, 'items.db'), 'something else, and long enough to be looked at as a header of a file'.repeat(20))
    await expect(open({ data: folder })).rejects.toMatchObject({
      code: 'unavailable',
      action: 'stop',
      message: /is no SQLite database/,
    })
  }))

test('a request knows what it asked of the stores', () =>
  within(async (folder) => {
    const stores = await open({ data: folder })
    const counts = new Counts()
    await stores.counter.scoped(counts, async () => {
      await stores.objects.create('lake/x', utf8('x'))
      await stores.objects.create(inlineKey, utf8('x'))
      await stores.items.update({ key: { partition: 'p', sort: 's' }, set: { v: { value: 1n } } })
    })
    expect(counts.header()).toBe('items.create=2, items.update=1, objects.create=1')
    await stores.close()
  }))

test('faults are ridden through', () =>
  within(async (folder) => {
    const rates = { refused: 0.1, throttled: 0.1, lostRequest: 0.1, lostAck: 0.1 }
    const stores = await open({ data: folder, faults: { rates, slowMs: 0, random: seededRandom(5) } })
    for (let i = 0; i < 30; i++) {
      expect(await stores.objects.create(`lake/${i}`, utf8(`${i}`))).toBe('created')
      expect((await stores.items.create({ key: { partition: 'p', sort: `${i}` }, attributes: { i: BigInt(i) } })).done).toBe(true)
    }
    expect(await keysOf(stores.objects, 'lake/')).toHaveLength(30)
    await stores.close()
  }))

test('a data directory below a place that takes no directories is refused at once', async () => {
  await expect(open({ data: '/proc/sluice/x' })).rejects.toThrow('cannot be opened')
})
