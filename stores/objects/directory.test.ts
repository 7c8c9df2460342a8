import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { utf8, utf8Text } from '../../core/kernel/bytes.ts'
import { keysOf, objectStoreCases } from '../../core/ports/objects.case.ts'
import { openDirectory } from './directory.ts'

objectStoreCases('a directory', async () => {
  const path = await mkdtemp(join(tmpdir(), 'sluice-objects-'))
  const objects = await openDirectory(path)
  return {
    objects,
    close: async () => {
      await objects.close()
      await rm(path, { recursive: true })
    },
  }
})

async function within(run: (path: string) => Promise<void>): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), 'sluice-objects-'))
  try {
    await run(path)
  } finally {
    await rm(path, { recursive: true })
  }
}

test('temporary files are never listed, and go when the directory is opened an hour later', () =>
  within(async (path) => {
    await openDirectory(path)
    const temporary = join(path, '~temporary')
    const [old, young] = [join(temporary, 'old'), join(temporary, 'young')]
    for (const file of [old, young]) await writeFile(file, 'half')
    const now = 1_900_000_000
    await utimes(old, now - 3_601, now - 3_601)
    await utimes(young, now - 3_599, now - 3_599)
    const objects = await openDirectory(path, () => now * 1000)
    expect(await keysOf(objects, '')).toEqual([])
    expect(await readdir(temporary)).toEqual(['young'])
  }))

test('a create leaves no temporary file, won or lost', () =>
  within(async (path) => {
    const objects = await openDirectory(path)
    await Promise.all(Array.from({ length: 8 }, (_, i) => objects.create('k', utf8(`${i}`))))
    await objects.close()
    expect(await readdir(join(path, '~temporary'))).toEqual([])
  }))

test('a second store over the same directory sees every object', () =>
  within(async (path) => {
    const [one, two] = [await openDirectory(path), await openDirectory(path)]
    expect(await one.create('a/b', utf8('x'))).toBe('created')
    expect(await two.create('a/b', utf8('y'))).toBe('exists')
    expect(utf8Text(await two.read('a/b'))).toBe('x')
    await Promise.all([one.close(), two.close()])
  }))

test('a folder that was removed behind its back is made again', () =>
  within(async (path) => {
    const objects = await openDirectory(path)
    await objects.create('a/b/c', utf8('x'))
    await rm(join(path, 'a'), { recursive: true })
    expect(await objects.create('a/b/c', utf8('y'))).toBe('created')
    expect(utf8Text(await objects.read('a/b/c'))).toBe('y')
    await objects.close()
  }))

test('a small range is at hand, and nothing is that read would refuse', () =>
  within(async (path) => {
    const objects = await openDirectory(path)
    await objects.create('a', new Uint8Array(100_000).fill(7))
    const now = (key: string, start: number, end: number) => objects.readNow(key, [{ start, end }])[0]?.length
    expect([now('a', 5, 9), now('a', 99_990, 100_000), now('a', 3, 3)]).toEqual([4, 10, 0])
    expect([now('a', 0, 90_000), now('a', 99_990, 100_001), now('a', 9, 5), now('b', 0, 1), now('../a', 0, 1)]).toEqual(
      new Array(5).fill(undefined),
    )
    const into = new Uint8Array(6)
    expect(objects.readNow('a', [{ start: 5, end: 9, into: into.subarray(1, 5) }])[0]?.buffer).toBe(into.buffer)
    expect([...into]).toEqual([0, 7, 7, 7, 7, 0])
    await objects.delete(['a'])
    expect(now('a', 5, 9)).toBe(undefined)
    await objects.close()
  }))

test('a uri is the path of the object', () =>
  within(async (path) => {
    const objects = await openDirectory(path)
    expect(fileURLToPath(objects.uri('lake/a=1/x.parquet'))).toBe(join(path, 'lake/a=1/x.parquet'))
  }))

test('a key below an object is an error with a reason', () =>
  within(async (path) => {
    const objects = await openDirectory(path)
    await objects.create('a', utf8('x'))
    await expect(objects.create('a/b', utf8('y'))).rejects.toMatchObject({
      code: 'unavailable',
      effect: 'none',
      message: /a file lies where a directory is needed/,
    })
    await objects.close()
  }))
