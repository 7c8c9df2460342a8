/** Cases of every ItemStore: conditions: when each is true. */
import { describe, expect } from 'vitest'
import { utf8 } from '../../kernel/bytes.ts'
import type { Attributes, Condition } from '../items.ts'
import { all, any, type Story } from './story.case.ts'

export function conditionCases(name: string, story: Story): void {
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
}
