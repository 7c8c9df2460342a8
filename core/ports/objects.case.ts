/**
 * What every ObjectStore does. `make` gives a store for one case, possibly over one shared server: each case keeps to
 * a prefix of its own. A skip must name its reason.
 */
import { describe, expect, test } from 'vitest'
import { concat, utf8, utf8Text } from '../kernel/bytes.ts'
import type { ObjectStore } from './objects.ts'

export interface OpenedObjects {
  readonly objects: ObjectStore
  readonly close?: () => Promise<void>
}

let prefixes = 0

export function objectStoreCases(name: string, make: () => Promise<OpenedObjects>): void {
  const story = (title: string, run: (objects: ObjectStore, at: (key: string) => string) => Promise<void>): void => {
    test(title, async () => {
      const prefix = `t/${(++prefixes).toString(16).padStart(16, '0')}/`
      const opened = await make()
      try {
        await run(opened.objects, (key) => prefix + key)
      } finally {
        await opened.close?.()
      }
    })
  }

  describe(`${name} is an object store`, () => {
    story('a created object is read back whole', async (objects, at) => {
      const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => (i * 31) & 255)
      expect(await objects.create(at('a/b=1/c_d-e.f'), bytes)).toBe('created')
      expect(await objects.read(at('a/b=1/c_d-e.f'))).toEqual(bytes)
    })

    story('an empty object is an object', async (objects, at) => {
      expect(await objects.create(at('empty'), new Uint8Array())).toBe('created')
      expect((await objects.read(at('empty'))).length).toBe(0)
      expect((await objects.read(at('empty'), { start: 0, end: 0 })).length).toBe(0)
    })

    story('a second create with other bytes finds the first and changes nothing', async (objects, at) => {
      expect(await objects.create(at('k'), utf8('one'))).toBe('created')
      expect(await objects.create(at('k'), utf8('two'))).toBe('exists')
      expect(await objects.create(at('k'), utf8('one more'))).toBe('exists')
      expect(utf8Text(await objects.read(at('k')))).toBe('one')
    })

    story('a repeated create with the same bytes is our own retry', async (objects, at) => {
      expect(await objects.create(at('k'), utf8('mine'))).toBe('created')
      expect(await objects.create(at('k'), utf8('mine'))).toBe('created')
    })

    story('of 32 creators one wins, and its bytes are there', async (objects, at) => {
      const outcomes = await Promise.all(Array.from({ length: 32 }, (_, i) => objects.create(at('race'), utf8(`writer ${i}`))))
      expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(1)
      expect(utf8Text(await objects.read(at('race')))).toBe(`writer ${outcomes.indexOf('created')}`)
    })

    story('a range is exactly its bytes', async (objects, at) => {
      await objects.create(at('range'), utf8('0123456789'))
      const read = async (start: number, end: number): Promise<string> =>
        utf8Text(await objects.read(at('range'), { start, end }))
      expect(await read(0, 10)).toBe('0123456789')
      expect(await read(0, 1)).toBe('0')
      expect(await read(9, 10)).toBe('9')
      expect(await read(3, 7)).toBe('3456')
      expect(await read(5, 5)).toBe('')
    })

    story('a range past the end is an error, never short', async (objects, at) => {
      await objects.create(at('range'), utf8('0123456789'))
      for (const [start, end] of [
        [0, 11],
        [9, 11],
        [10, 11],
        [50, 60],
      ] as const) {
        await expect(objects.read(at('range'), { start, end })).rejects.toMatchObject({ name: 'SluiceError', code: 'internal' })
      }
      for (const [start, end] of [
        [5, 4],
        [-1, 3],
        [0.5, 3],
        [0, Number.NaN],
        [0, 2 ** 53],
      ] as const) {
        await expect(objects.read(at('range'), { start, end })).rejects.toMatchObject({ name: 'SluiceError', code: 'internal' })
      }
    })

    story('an absent key is not found', async (objects, at) => {
      await expect(objects.read(at('absent'))).rejects.toMatchObject({ name: 'SluiceError', code: 'not-found', effect: 'none' })
      await expect(objects.read(at('absent'), { start: 0, end: 1 })).rejects.toMatchObject({ code: 'not-found' })
    })

    story('deleted objects are gone, and absent keys are no error', async (objects, at) => {
      const keys = Array.from({ length: 20 }, (_, i) => at(`d/${i}`))
      for (const key of keys) await objects.create(key, utf8(key))
      await objects.delete([...keys.slice(1), at('d/never')])
      await objects.delete([])
      expect(await keysOf(objects, at(''))).toEqual([at('d/0')])
      await expect(objects.read(at('d/7'))).rejects.toMatchObject({ code: 'not-found' })
    })

    story('a listing is recursive, sorted by key and bounded by its prefix', async (objects, at) => {
      const keys = ['a', 'a-', 'a.b', 'a0/x', 'b/c', 'b/c1/d', 'b/c-1/d', 'b/cc', 'ba', '0', 'z/_', 'z/=', 'z/y/x/w'].map(at)
      for (const key of keys) await objects.create(key, utf8('x'))
      expect(await keysOf(objects, at(''))).toEqual([...keys].sort())
      expect(await keysOf(objects, at('b/'))).toEqual([at('b/c'), at('b/c-1/d'), at('b/c1/d'), at('b/cc')])
      expect(await keysOf(objects, at('b/c1'))).toEqual([at('b/c1/d')])
      expect(await keysOf(objects, at('a'))).toEqual([at('a'), at('a-'), at('a.b'), at('a0/x')])
      expect(await keysOf(objects, at('nothing/'))).toEqual([])
    })

    story('a listing says how large each object is', async (objects, at) => {
      await objects.create(at('five'), utf8('12345'))
      await objects.create(at('none'), new Uint8Array())
      const listed = []
      for await (const object of objects.list(at(''))) listed.push(object)
      expect(listed).toEqual([
        { key: at('five'), bytes: 5 },
        { key: at('none'), bytes: 0 },
      ])
    })

    story('a listing that its reader leaves early ends', async (objects, at) => {
      for (const key of ['a', 'b', 'c']) await objects.create(at(key), utf8(key))
      for await (const { key } of objects.list(at(''))) {
        expect(key).toBe(at('a'))
        break
      }
    })

    story('replace puts the object, whether it is there or not', async (objects, at) => {
      await objects.replace(at('hint'), utf8('1'))
      await objects.replace(at('hint'), utf8('22'))
      expect(utf8Text(await objects.read(at('hint')))).toBe('22')
      expect(await objects.create(at('hint'), utf8('3'))).toBe('exists')
    })

    story('a hostile key is refused by every call', async (objects, at) => {
      const hostile = [
        '',
        '/',
        'a/',
        '/a',
        'a//b',
        '..',
        '../a',
        'a/../b',
        'a/..',
        './a',
        'a/.',
        'a b',
        'ä',
        'a\0',
        'a\\b',
        '~temporary/x',
        'a\n',
        'x'.repeat(513),
        `a/${'x'.repeat(300)}`,
      ]
      const refusal = { name: 'SluiceError', code: 'internal', effect: 'none' }
      for (const key of hostile) {
        await expect(objects.create(key, utf8('x'))).rejects.toMatchObject(refusal)
        await expect(objects.read(key)).rejects.toMatchObject(refusal)
        await expect(objects.delete([at('fine'), key])).rejects.toMatchObject(refusal)
        await expect(objects.replace(key, utf8('x'))).rejects.toMatchObject(refusal)
        expect(() => objects.uri(key)).toThrow(/refused/)
      }
      await expect(keysOf(objects, '../')).rejects.toMatchObject(refusal)
      await expect(keysOf(objects, 'ä/')).rejects.toMatchObject(refusal)
    })

    story('names that engines give are names', async (objects, at) => {
      const key = at('data/__bucket=0/day=2026-11-21T09%3A00+x/00000-0-ABC.parquet')
      expect(await objects.create(key, utf8('x'))).toBe('created')
      expect(await keysOf(objects, at('data/__bucket=0/'))).toEqual([key])
      await objects.delete([key])
      await expect(objects.read(key)).rejects.toMatchObject({ code: 'not-found' })
    })

    story('what a caller does to its bytes later changes nothing', async (objects, at) => {
      const bytes = utf8('before')
      await objects.create(at('copy'), bytes)
      bytes.fill(0)
      const read = await objects.read(at('copy'))
      read.fill(1)
      expect(utf8Text(await objects.read(at('copy')))).toBe('before')
    })

    story('a large object keeps every byte', async (objects, at) => {
      const block = Uint8Array.from({ length: 65_536 }, (_, i) => (i * 7 + (i >> 8)) & 255)
      const bytes = concat(Array.from({ length: 40 }, () => block))
      expect(await objects.create(at('large'), bytes)).toBe('created')
      expect(Buffer.compare(await objects.read(at('large')), bytes)).toBe(0)
      const range = { start: 65_536 * 3 - 5, end: 65_536 * 9 + 11 }
      expect(Buffer.compare(await objects.read(at('large'), range), bytes.subarray(range.start, range.end))).toBe(0)
    })

    story('pieces are the bytes that they make together, however many and small', async (objects, at) => {
      const pieces = Array.from({ length: 3_000 }, (_, i) => new Uint8Array(i % 97).fill(i & 255))
      const bytes = concat(pieces)
      expect(await objects.create(at('pieces'), pieces)).toBe('created')
      expect(Buffer.compare(await objects.read(at('pieces')), bytes)).toBe(0)
      expect(await objects.create(at('pieces'), bytes)).toBe('created')
      expect(await objects.create(at('pieces'), pieces.slice(1).reverse())).toBe('exists')
      expect(await objects.create(at('no-pieces'), [])).toBe('created')
      expect((await objects.read(at('no-pieces'))).length).toBe(0)
    })

    story('a uri names the object', async (objects, at) => {
      expect(objects.uri(at('a/b'))).toMatch(/^[a-z0-9]+:\/\/.*\/a\/b$/)
    })
  })
}

export async function keysOf(objects: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of objects.list(prefix)) keys.push(key)
  return keys
}
