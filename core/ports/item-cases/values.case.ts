/** Cases of every ItemStore: items are made and read back, whatever is in them, in races too. */
import { describe, expect } from 'vitest'
import { utf8 } from '../../kernel/bytes.ts'
import type { Attributes } from '../items.ts'
import type { Story } from './story.case.ts'

export function valueCases(name: string, story: Story): void {
  describe(`${name} is an item store`, () => {
    story('a created item is read back', async (items, p) => {
      const item = {
        key: { partition: p, sort: 'a' },
        attributes: { text: 'ä', number: 5n, yes: true, no: false, bytes: utf8('b') },
      }
      expect(await items.create(item)).toEqual({ done: true, item })
      expect(await items.get(item.key)).toEqual(item)
      expect(await items.get(item.key, 'eventual')).toEqual(item)
      expect(await items.get({ partition: p, sort: 'b' })).toBeUndefined()
    })

    story('every value comes back as it went in', async (items, p) => {
      const nested = {
        list: [1n, 'two', true, utf8('three'), [], [[-4n]], {}],
        map: { 'odd key!': { 'a.b': [''] }, '': undefined },
      }
      const attributes: Attributes = {
        integers: [
          0n,
          1n,
          -1n,
          127n,
          128n,
          2n ** 31n - 1n,
          2n ** 31n,
          2n ** 32n,
          2n ** 53n,
          2n ** 53n + 1n,
          2n ** 63n - 1n,
          2n ** 63n,
          2n ** 64n + 1n,
        ],
        negatives: [-(2n ** 31n), -(2n ** 32n) - 1n, -(2n ** 53n) - 1n, -(2n ** 63n), -(2n ** 63n) - 1n],
        widest: 10n ** 38n - 1n,
        tens: 10n ** 20n,
        emptyText: '',
        emptyList: [],
        emptyMap: {},
        emptyBytes: new Uint8Array(),
        bytes: Uint8Array.from({ length: 256 }, (_, i) => i),
        text: 'ü \u{1f30a} \u0000 \n "quoted"',
        'a name-with_odd#:characters $': 'x',
        size: 'a reserved word',
        constructor: 'own',
        list: nested.list,
        map: { 'odd key!': nested.map['odd key!'] },
      }
      const key = { partition: p, sort: 'values' }
      await items.create({ key, attributes })
      expect(await items.get(key)).toEqual({ key, attributes })
      expect(await items.query({ partition: p, limit: 1 })).toEqual([{ key, attributes }])
    })

    story('keys may hold odd characters', async (items, p) => {
      const sorts = [
        '#',
        'a#b',
        "a'b",
        'a"b',
        'a%b',
        'a\u0000b',
        'a\nb',
        'ü',
        '\u{1f30a}',
        '\uffee',
        ' ',
        'i/0000000000000000001',
      ]
      for (const sort of sorts) await items.create({ key: { partition: `${p} #'"%\u{1f30a}`, sort }, attributes: { sort } })
      for (const sort of sorts) expect((await items.get({ partition: `${p} #'"%\u{1f30a}`, sort }))?.attributes.sort).toBe(sort)
      const found = await items.query({ partition: `${p} #'"%\u{1f30a}`, limit: 100 })
      expect(found.map(({ key }) => key.sort)).toEqual(sorts.sort((a, b) => Buffer.compare(utf8(a), utf8(b))))
    })

    story('a create never replaces', async (items, p) => {
      const first = { key: { partition: p, sort: 'a' }, attributes: { v: 1n } }
      expect((await items.create(first)).done).toBe(true)
      expect(await items.create({ key: first.key, attributes: { v: 2n } })).toEqual({ done: false, item: first })
      expect(await items.get(first.key)).toEqual(first)
    })

    story('of 32 creators one wins', async (items, p) => {
      const race = Array.from({ length: 32 }, (_, i) =>
        items.create({ key: { partition: p, sort: 'race' }, attributes: { i: BigInt(i) } }),
      )
      const results = await Promise.all(race)
      expect(results.filter(({ done }) => done)).toHaveLength(1)
      const winner = BigInt(results.findIndex(({ done }) => done))
      expect((await items.get({ partition: p, sort: 'race' }))?.attributes.i).toBe(winner)
      for (const result of results) expect(result.item?.attributes.i).toBe(winner)
    })

    story(
      '8 writers of one counter lose nothing by compare-and-set',
      async (items, p) => {
        const key = { partition: p, sort: 'counter' }
        await items.create({ key, attributes: { n: 0n } })
        const write = async (): Promise<void> => {
          let seen = 0n
          for (let done = 0; done < 20; ) {
            const result = await items.update({
              key,
              set: { n: { value: seen + 1n } },
              condition: { is: 'equal', path: 'n', value: seen },
            })
            seen = result.item?.attributes.n as bigint
            if (result.done) done++
          }
        }
        await Promise.all(Array.from({ length: 8 }, write))
        expect((await items.get(key))?.attributes.n).toBe(160n)
      },
      60_000,
    )

    story(
      '8 writers of one counter lose nothing by blind addition',
      async (items, p) => {
        const key = { partition: p, sort: 'counter' }
        await items.create({ key, attributes: { n: 0n } })
        const writes = Array.from({ length: 8 }, async () => {
          for (let i = 0; i < 20; i++) await items.update({ key, set: { n: { plus: 'n', by: 1n } } })
        })
        await Promise.all(writes)
        expect((await items.get(key))?.attributes.n).toBe(160n)
      },
      60_000,
    )
  })
}
