/** Cases of every ItemStore: updates: what they set, add, append and remove, and what of them is refused. */
import { describe, expect } from 'vitest'
import { utf8 } from '../../kernel/bytes.ts'
import type { Attributes, Update } from '../items.ts'
import { all, any, refusal, type Story } from './story.case.ts'

export function updateCases(name: string, story: Story): void {
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
}
