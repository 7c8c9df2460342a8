/**
 * What every ItemStore does, and what it refuses as DynamoDB refuses it. `make` gives a store for one case, possibly over
 * one shared server: each case keeps to a partition of its own. A skip must name its reason.
 */
import { describe, expect, test } from 'vitest'
import { utf8 } from '../kernel/bytes.ts'
import type { Attributes, Condition, Item, ItemStore, ItemValue, SetAction, Update } from './items.ts'

export interface OpenedItems {
  readonly items: ItemStore
  readonly close?: () => Promise<void>
}

let partitions = 0
const refusal = { name: 'SluiceError', code: 'internal', effect: 'none' }

export function itemStoreCases(name: string, make: () => Promise<OpenedItems>): void {
  const story = (title: string, run: (items: ItemStore, p: string) => Promise<void>, timeoutMs = 20_000): void => {
    test(title, { timeout: timeoutMs }, async () => {
      const opened = await make()
      try {
        await run(opened.items, `case ${++partitions}`)
      } finally {
        await opened.close?.()
      }
    })
  }

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

  describe(`${name} updates items`, () => {
    const updates = (title: string, old: Attributes, update: Omit<Update, 'key'>, after: Attributes): void =>
      story(title, async (items, p) => {
        const key = { partition: p, sort: 'u' }
        await items.create({ key, attributes: old })
        expect(await items.update({ key, ...update })).toEqual({ done: true, item: { key, attributes: after } })
        expect(await items.get(key)).toEqual({ key, attributes: after })
      })

    updates(
      'to values',
      { a: 1n, b: 'x' },
      { set: { a: { value: 'y' }, c: { value: { k: [1n] } } } },
      { a: 'y', b: 'x', c: { k: [1n] } },
    )
    updates(
      'to a sum, past every narrow integer',
      { n: 2n ** 62n },
      { set: { n: { plus: 'n', by: 2n ** 62n - 1n } } },
      { n: 2n ** 63n - 1n },
    )
    updates('to a sum with a negative number', { n: 5n }, { set: { n: { plus: 'n', by: -7n } } }, { n: -2n })
    updates('where absent', { a: 1n }, { set: { a: { ifAbsent: 2n }, b: { ifAbsent: 3n } } }, { a: 1n, b: 3n })
    updates('by appending', { l: ['a'] }, { set: { l: { append: ['b', 7n] } } }, { l: ['a', 'b', 7n] })
    updates('by appending nothing', { l: ['a'] }, { set: { l: { append: [] } } }, { l: ['a'] })
    updates('by removing attributes, absent ones too', { a: 1n, b: 2n }, { remove: ['b', 'never'] }, { a: 1n })
    updates('to no attributes at all', { a: 1n }, { remove: ['a'] }, {})
    updates('by removing leading elements', { l: [1n, 2n, 3n] }, { removeLeading: { list: 'l', count: 2 } }, { l: [3n] })
    updates('by removing all elements and more', { l: [1n, 2n] }, { removeLeading: { list: 'l', count: 5 } }, { l: [] })
    updates(
      'with names that are reserved words or hold odd characters',
      { 'a-b': 1n },
      { set: { 'a-b': { plus: 'a-b', by: 1n }, size: { value: 's' }, ':v #n': { value: 'o' } }, remove: ['order'] },
      { 'a-b': 2n, size: 's', ':v #n': 'o' },
    )

    // The three traps of protocol.md section 1: they tell a store that reads new values from one that reads the old item.
    updates(
      'reading the old item on every right-hand side',
      { end: 100n, recent: ['a'] },
      {
        set: {
          end: { plus: 'end', by: 10n },
          q1: { plus: 'end', by: 0n },
          q2: { plus: 'end', by: 3n },
          recent: { append: ['b'] },
        },
      },
      { end: 110n, q1: 100n, q2: 103n, recent: ['a', 'b'] },
    )
    updates(
      'reading the old item of an attribute that it sets to a value',
      { a: 1n, b: 10n },
      { set: { a: { value: 5n }, b: { plus: 'a', by: 1n } } },
      { a: 5n, b: 2n },
    )
    updates(
      'removing eight of twelve leading elements: the right ones',
      { base: 0n, recent: Array.from({ length: 12 }, (_, i) => `entry ${i}`) },
      {
        set: { base: { value: 8n } },
        removeLeading: { list: 'recent', count: 8 },
        condition: { is: 'equal', path: 'base', value: 0n },
      },
      { base: 8n, recent: ['entry 8', 'entry 9', 'entry 10', 'entry 11'] },
    )
    updates(
      'replacing a whole map, and setting one that was absent',
      { p1: { epoch: 1n, seq: 4n } },
      { set: { p1: { value: { epoch: 2n, seq: 0n } }, p2: { value: { epoch: 0n, seq: 0n } } } },
      { p1: { epoch: 2n, seq: 0n }, p2: { epoch: 0n, seq: 0n } },
    )

    story('the head update of the protocol appends once, and says why not the second time', async (items, p) => {
      const key = { partition: p, sort: 'h' }
      const entry = utf8('object one')
      const old: Attributes = {
        open: 1n,
        gc: '000000000000',
        quiet: 0n,
        evictions: 0n,
        base: 0n,
        end: 2n ** 53n,
        bytes: 0n,
        recent: [],
      }
      await items.create({ key, attributes: old })
      const producer = { e: 1n, s: 7n }
      const append: Update = {
        key,
        set: {
          end: { plus: 'end', by: 3n },
          qx: { plus: 'end', by: 0n },
          px: { value: producer },
          recent: { append: [entry] },
          bytes: { plus: 'bytes', by: 100n },
        },
        condition: all(
          { is: 'equal', path: 'open', value: 1n },
          { is: 'less', path: 'gc', value: '000000000001' },
          { is: 'equal', path: 'quiet', value: 0n },
          { is: 'shorter', path: 'recent', value: 64n },
          { is: 'lacks', path: 'recent', value: entry },
          any(
            all({ is: 'absent', path: 'px' }, { is: 'equal', path: 'evictions', value: 0n }),
            { is: 'less', path: 'px.e', value: 1n },
            all({ is: 'equal', path: 'px.e', value: 1n }, { is: 'less', path: 'px.s', value: 7n }),
          ),
        ),
      }
      const after = { ...old, end: 2n ** 53n + 3n, qx: 2n ** 53n, px: producer, recent: [entry], bytes: 100n }
      expect(await items.update(append)).toEqual({ done: true, item: { key, attributes: after } })
      expect(await items.update(append)).toEqual({ done: false, item: { key, attributes: after } })
      expect(await items.get(key)).toEqual({ key, attributes: after })
    })

    story('an update never creates', async (items, p) => {
      const key = { partition: p, sort: 'never' }
      const update = { key, set: { a: { value: 1n } } }
      expect(await items.update(update)).toEqual({ done: false, item: undefined })
      expect(await items.update({ ...update, condition: { is: 'absent', path: 'a' } })).toEqual({ done: false, item: undefined })
      expect(await items.update({ ...update, condition: any({ is: 'absent', path: 'a' }, { is: 'exists', path: 'a' }) })).toEqual(
        { done: false, item: undefined },
      )
      expect(await items.get(key)).toBeUndefined()
    })

    story('what an expression cannot read is refused, and nothing changes', async (items, p) => {
      const item = { key: { partition: p, sort: 'strict' }, attributes: { text: 'x', number: 1n, list: [1n] } }
      await items.create(item)
      const bad: Record<string, Omit<Update, 'key'>> = {
        'a sum with an absent attribute': { set: { n: { plus: 'absent', by: 1n } } },
        'a sum with text': { set: { n: { plus: 'text', by: 1n } } },
        'appending to an absent list': { set: { other: { append: [1n] } } },
        'appending to text': { set: { text: { append: [1n] } } },
        'removing from an absent list': { removeLeading: { list: 'absent', count: 1 } },
        'an empty update': {},
        'empty parts': { set: {}, remove: [] },
        'one name set and removed': { set: { number: { value: 2n } }, remove: ['number'] },
        'one name removed twice': { remove: ['number', 'number'] },
        'one list appended to and cut': { set: { list: { append: [1n] } }, removeLeading: { list: 'list', count: 1 } },
        'two names that read each other': { set: { a: { plus: 'number', by: 0n }, number: { plus: 'a', by: 0n } } },
        'a chain of names that read each other': {
          set: { number: { value: 2n }, a: { plus: 'number', by: 0n }, b: { plus: 'a', by: 0n } },
        },
        'reading what it removes': { set: { a: { plus: 'number', by: 0n } }, remove: ['number'] },
        'an empty name': { set: { '': { value: 1n } } },
        'a dotted name': { set: { 'a.b': { value: 1n } } },
        'the name of a key': { set: { pk: { value: 'x' } } },
        'a number of 39 digits': { set: { a: { value: 10n ** 38n } } },
        'a lone surrogate': { set: { a: { value: '\ud800' } } },
        'no elements to remove': { removeLeading: { list: 'list', count: 0 } },
        'an empty or': { set: { a: { value: 1n } }, condition: { is: 'or', all: [] } },
        'a path of three levels': { set: { a: { value: 1n } }, condition: { is: 'exists', path: 'a.b.c' } },
      }
      for (const [title, update] of Object.entries(bad)) {
        await expect(items.update({ key: item.key, ...update }), title).rejects.toMatchObject(refusal)
      }
      expect(await items.get(item.key)).toEqual(item)
    })

    story('an empty or over-long key is refused', async (items, p) => {
      for (const key of [
        { partition: '', sort: 'a' },
        { partition: p, sort: '' },
        { partition: p, sort: 'x'.repeat(1025) },
        { partition: 'x'.repeat(2049), sort: 'a' },
      ]) {
        await expect(items.create({ key, attributes: {} })).rejects.toMatchObject(refusal)
        await expect(items.get(key)).rejects.toMatchObject(refusal)
        await expect(items.delete(key)).rejects.toMatchObject(refusal)
        await expect(items.update({ key, set: { a: { value: 1n } } })).rejects.toMatchObject(refusal)
      }
    })

    story('an item holds 400 KB and no more', async (items, p) => {
      const key = { partition: p, sort: 'large' }
      const large = new Uint8Array(409_000)
      expect((await items.create({ key, attributes: { large } })).done).toBe(true)
      const over = { ...refusal, code: 'too-large' }
      await expect(
        items.create({ key: { partition: p, sort: 'larger' }, attributes: { large: new Uint8Array(409_600) } }),
      ).rejects.toMatchObject(over)
      await expect(items.update({ key, set: { more: { value: new Uint8Array(1_000) } } })).rejects.toMatchObject(over)
      expect(Object.keys((await items.get(key))?.attributes ?? {})).toEqual(['large'])
    })
  })

  describe(`${name} evaluates conditions`, () => {
    const old: Attributes = {
      n: 5n,
      big: 2n ** 63n - 1n,
      text: 'm',
      bytes: utf8('b'),
      yes: true,
      list: ['x', utf8('y')],
      two: [1n, 2n],
      empty: [],
      map: { n: 5n, s: 'q', inner: { k: [1n] } },
    }
    const table: readonly (readonly [string, Condition, boolean])[] = [
      ['equal numbers', { is: 'equal', path: 'n', value: 5n }, true],
      ['unequal numbers', { is: 'equal', path: 'n', value: 6n }, false],
      ['equal 64-bit numbers', { is: 'equal', path: 'big', value: 2n ** 63n - 1n }, true],
      ['64-bit numbers that a double cannot tell apart', { is: 'equal', path: 'big', value: 2n ** 63n - 2n }, false],
      ['a number and its text', { is: 'equal', path: 'n', value: '5' }, false],
      ['equal text', { is: 'equal', path: 'text', value: 'm' }, true],
      ['equal bytes', { is: 'equal', path: 'bytes', value: utf8('b') }, true],
      ['unequal bytes', { is: 'equal', path: 'bytes', value: utf8('c') }, false],
      ['equal booleans', { is: 'equal', path: 'yes', value: true }, true],
      ['unequal booleans', { is: 'equal', path: 'yes', value: false }, false],
      ['equal lists', { is: 'equal', path: 'two', value: [1n, 2n] }, true],
      ['lists in another order', { is: 'equal', path: 'two', value: [2n, 1n] }, false],
      ['equal maps', { is: 'equal', path: 'map', value: { s: 'q', inner: { k: [1n] }, n: 5n } }, true],
      ['maps that differ deep inside', { is: 'equal', path: 'map', value: { s: 'q', inner: { k: [2n] }, n: 5n } }, false],
      ['an absent attribute equals nothing', { is: 'equal', path: 'absent', value: 5n }, false],
      ['equal below a map', { is: 'equal', path: 'map.n', value: 5n }, true],
      ['unequal below a map', { is: 'equal', path: 'map.n', value: 4n }, false],
      ['equal below what is no map', { is: 'equal', path: 'n.n', value: 5n }, false],
      ['less', { is: 'less', path: 'n', value: 6n }, true],
      ['not less than itself', { is: 'less', path: 'n', value: 5n }, false],
      ['less by one at 2^63', { is: 'less', path: 'big', value: 2n ** 63n }, true],
      ['more than a negative number', { is: 'less', path: 'n', value: -1n }, false],
      ['less as text', { is: 'less', path: 'text', value: 'n' }, true],
      ['a longer text is more', { is: 'less', path: 'text', value: 'mm' }, true],
      ['less between two types', { is: 'less', path: 'n', value: '6' }, false],
      ['an absent attribute is less than nothing', { is: 'less', path: 'absent', value: 6n }, false],
      ['less below a map', { is: 'less', path: 'map.n', value: 6n }, true],
      ['less below an absent map', { is: 'less', path: 'absent.n', value: 6n }, false],
      ['exists', { is: 'exists', path: 'empty' }, true],
      ['exists not', { is: 'exists', path: 'absent' }, false],
      ['exists below a map', { is: 'exists', path: 'map.s' }, true],
      ['exists not below a map', { is: 'exists', path: 'map.t' }, false],
      ['absent', { is: 'absent', path: 'absent' }, true],
      ['not absent', { is: 'absent', path: 'n' }, false],
      ['absent below an absent map', { is: 'absent', path: 'absent.n' }, true],
      ['contains text', { is: 'contains', path: 'list', value: 'x' }, true],
      ['contains bytes', { is: 'contains', path: 'list', value: utf8('y') }, true],
      ['contains not the other type', { is: 'contains', path: 'list', value: 'y' }, false],
      ['an empty list contains nothing', { is: 'contains', path: 'empty', value: 'x' }, false],
      ['an absent list contains nothing', { is: 'contains', path: 'absent', value: 'x' }, false],
      ['lacks', { is: 'lacks', path: 'list', value: 'z' }, true],
      ['lacks not', { is: 'lacks', path: 'list', value: utf8('y') }, false],
      ['an absent list lacks everything', { is: 'lacks', path: 'absent', value: 'x' }, true],
      ['shorter', { is: 'shorter', path: 'list', value: 3n }, true],
      ['not shorter than its length', { is: 'shorter', path: 'list', value: 2n }, false],
      ['an empty list is shorter than one', { is: 'shorter', path: 'empty', value: 1n }, true],
      ['an absent list is not shorter', { is: 'shorter', path: 'absent', value: 9n }, false],
      ['and', all({ is: 'exists', path: 'n' }, { is: 'less', path: 'n', value: 6n }), true],
      ['and with one that fails', all({ is: 'exists', path: 'n' }, { is: 'less', path: 'n', value: 5n }), false],
      ['or', any({ is: 'absent', path: 'n' }, { is: 'less', path: 'n', value: 6n }), true],
      ['or of two that fail', any({ is: 'absent', path: 'n' }, { is: 'less', path: 'n', value: 5n }), false],
      [
        'and binds as it is nested, not as it is written',
        all(any({ is: 'exists', path: 'n' }, { is: 'exists', path: 'n' }), { is: 'absent', path: 'n' }),
        false,
      ],
      [
        'or of ands',
        any(
          all({ is: 'absent', path: 'n' }, { is: 'exists', path: 'n' }),
          all({ is: 'exists', path: 'n' }, { is: 'exists', path: 'text' }),
        ),
        true,
      ],
      ['an and of one', all({ is: 'exists', path: 'n' }), true],
    ]
    for (const set of [table.filter(([, , holds]) => holds), table.filter(([, , holds]) => !holds)]) {
      story(`${set.length} that ${set[0]?.[2] ? 'hold' : 'fail'}`, async (items, p) => {
        const key = { partition: p, sort: 'c' }
        await items.create({ key, attributes: old })
        for (const [title, condition, holds] of set) {
          const result = await items.update({ key, set: { hit: { value: title } }, condition })
          expect(result.done, title).toBe(holds)
          const hit = result.item?.attributes.hit
          expect(hit, title).toBe(holds ? title : undefined)
        }
      })
    }
  })

  describe(`${name} deletes, queries and transacts`, () => {
    story('a delete says what was there', async (items, p) => {
      const item = { key: { partition: p, sort: 'd' }, attributes: { v: 1n } }
      await items.create(item)
      expect(await items.delete(item.key, { is: 'equal', path: 'v', value: 2n })).toEqual({ done: false, item })
      expect(await items.delete(item.key, { is: 'equal', path: 'v', value: 1n })).toEqual({ done: true, item })
      expect(await items.get(item.key)).toBeUndefined()
      expect(await items.delete(item.key)).toEqual({ done: true, item: undefined })
      expect(await items.delete(item.key, { is: 'exists', path: 'v' })).toEqual({ done: false, item: undefined })
      expect(await items.delete(item.key, { is: 'absent', path: 'v' })).toEqual({ done: true, item: undefined })
    })

    story('a query gives a range in order, forwards and backwards', async (items, p) => {
      const sorts = ['a', 'a1', 'b', 'b/1', 'b/2', 'c']
      for (const sort of [...sorts].reverse()) await items.create({ key: { partition: p, sort }, attributes: {} })
      await items.create({ key: { partition: `${p}x`, sort: 'b' }, attributes: {} })
      const query = async (range: { from?: string; to?: string; reverse?: boolean; limit?: number }): Promise<string[]> =>
        (await items.query({ partition: p, limit: 100, ...range })).map(({ key }) => key.sort)
      expect(await query({})).toEqual(sorts)
      expect(await query({ from: 'a1' })).toEqual(['a1', 'b', 'b/1', 'b/2', 'c'])
      expect(await query({ to: 'b' })).toEqual(['a', 'a1'])
      expect(await query({ from: 'b', to: 'b0' })).toEqual(['b', 'b/1', 'b/2'])
      expect(await query({ from: 'b', to: 'b/2' })).toEqual(['b', 'b/1'])
      expect(await query({ from: 'b', to: 'b' })).toEqual([])
      expect(await query({ from: 'c', to: 'a' })).toEqual([])
      expect(await query({ from: 'b', to: 'b\0' })).toEqual(['b'])
      expect(await query({ from: '' })).toEqual(sorts)
      expect(await query({ reverse: true, limit: 2 })).toEqual(['c', 'b/2'])
      expect(await query({ from: 'a1', to: 'c', reverse: true })).toEqual(['b/2', 'b/1', 'b', 'a1'])
      expect(await query({ from: 'b/2', reverse: true, limit: 1 })).toEqual(['c'])
      expect(await query({ to: 'b/2', reverse: true, limit: 1 })).toEqual(['b/1'])
      expect(await query({ limit: 3 })).toEqual(['a', 'a1', 'b'])
      await expect(items.query({ partition: p, limit: 0 })).rejects.toMatchObject(refusal)
      await expect(items.query({ partition: p, limit: 1_001 })).rejects.toMatchObject(refusal)
    })

    story('a query over more than a page gives all that its limit allows', async (items, p) => {
      const body = new Uint8Array(300_000)
      for (let i = 0; i < 8; i++) await items.create({ key: { partition: p, sort: `k${i}` }, attributes: { body } })
      const sorts = async (limit: number, reverse: boolean): Promise<string[]> =>
        (await items.query({ partition: p, limit, reverse, from: 'k1' })).map(({ key }) => key.sort)
      expect(await sorts(1_000, false)).toEqual(['k1', 'k2', 'k3', 'k4', 'k5', 'k6', 'k7'])
      expect(await sorts(5, true)).toEqual(['k7', 'k6', 'k5', 'k4', 'k3'])
    })

    story('a transaction does all its actions', async (items, p) => {
      const at = (sort: string): Item['key'] => ({ partition: p, sort })
      for (const sort of ['update', 'delete', 'check']) await items.create({ key: at(sort), attributes: { v: 1n } })
      const result = await items.transact([
        { create: { key: at('create'), attributes: { v: 9n } } },
        { update: { key: at('update'), set: { v: { plus: 'v', by: 1n } }, condition: { is: 'equal', path: 'v', value: 1n } } },
        { delete: at('delete'), condition: { is: 'exists', path: 'v' } },
        { check: at('check'), condition: { is: 'equal', path: 'v', value: 1n } },
        { check: at('nothing'), condition: { is: 'absent', path: 'v' } },
        { delete: at('never') },
      ])
      expect(result).toEqual({ done: true })
      const found = await items.query({ partition: p, limit: 10 })
      expect(found.map(({ key, attributes }) => [key.sort, attributes.v])).toEqual([
        ['check', 1n],
        ['create', 9n],
        ['update', 2n],
      ])
    })

    story('a transaction with one failed condition does nothing and names it', async (items, p) => {
      const at = (sort: string): Item['key'] => ({ partition: p, sort })
      await items.create({ key: at('there'), attributes: { v: 1n } })
      const create = { create: { key: at('new'), attributes: {} } }
      const set: Record<string, SetAction> = { v: { value: 2n } }
      expect(await items.transact([create, { create: { key: at('there'), attributes: {} } }])).toEqual({ done: false, failed: 1 })
      expect(await items.transact([{ update: { key: at('absent'), set } }, create])).toEqual({ done: false, failed: 0 })
      expect(
        await items.transact([create, { update: { key: at('there'), set, condition: { is: 'equal', path: 'v', value: 5n } } }]),
      ).toEqual({ done: false, failed: 1 })
      expect(await items.transact([create, { delete: at('there'), condition: { is: 'absent', path: 'v' } }])).toEqual({
        done: false,
        failed: 1,
      })
      expect(await items.transact([create, { check: at('nothing'), condition: { is: 'exists', path: 'v' } }])).toEqual({
        done: false,
        failed: 1,
      })
      expect(await items.query({ partition: p, limit: 10 })).toEqual([{ key: at('there'), attributes: { v: 1n } }])
    })

    story('a transaction of 100 actions is done, and one of 0 or 101, or with one item twice, is refused', async (items, p) => {
      const creates = Array.from({ length: 101 }, (_, i) => ({
        create: { key: { partition: p, sort: `t${i}` }, attributes: {} },
      }))
      const [first, second] = creates
      if (first === undefined || second === undefined) throw new Error('unreachable')
      await expect(items.transact(creates)).rejects.toMatchObject(refusal)
      await expect(items.transact([])).rejects.toMatchObject(refusal)
      await expect(items.transact([first, second, { delete: first.create.key }])).rejects.toMatchObject(refusal)
      expect(await items.query({ partition: p, limit: 10 })).toEqual([])
      expect(await items.transact(creates.slice(0, 100))).toEqual({ done: true })
      expect(await items.query({ partition: p, limit: 1_000 })).toHaveLength(100)
    })

    story('an equal transaction later is another transaction', async (items, p) => {
      const key = { partition: p, sort: 'again' }
      const create = (): Promise<unknown> => items.transact([{ create: { key, attributes: { v: 1n } } }])
      const remove = (): Promise<unknown> => items.transact([{ delete: key, condition: { is: 'exists', path: 'v' } }])
      for (let round = 0; round < 2; round++) {
        expect(await create()).toEqual({ done: true })
        expect(await create()).toEqual({ done: false, failed: 0 })
        expect(await remove()).toEqual({ done: true })
        expect(await items.get(key)).toBeUndefined()
      }
    })

    story('what a caller does to its values later changes nothing', async (items, p) => {
      const key = { partition: p, sort: 'copy' }
      const bytes = utf8('before')
      const list: ItemValue[] = ['a']
      await items.create({ key, attributes: { bytes, list } })
      bytes.fill(0)
      list.push('b')
      const read = await items.get(key)
      if (read?.attributes.bytes instanceof Uint8Array) read.attributes.bytes.fill(1)
      expect((await items.get(key))?.attributes).toEqual({ bytes: utf8('before'), list: ['a'] })
    })
  })
}

const all = (...conditions: Condition[]): Condition => ({ is: 'and', all: conditions })
const any = (...conditions: Condition[]): Condition => ({ is: 'or', all: conditions })
