/** Cases of every ItemStore: deletes, queries and transactions. */
import { describe, expect } from 'vitest'
import { utf8 } from '../../kernel/bytes.ts'
import type { Item, ItemValue, SetAction } from '../items.ts'
import { refusal, type Story } from './story.case.ts'

export function queryCases(name: string, story: Story): void {
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
