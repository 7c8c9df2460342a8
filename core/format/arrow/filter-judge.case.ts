/**
 * What is asked of rows, as a tree, and a judge of it. The judge knows SQL's three truths and plain values (batch.case.ts), and
 * shares nothing with the code that it judges: texts are compared by code points, never by their UTF-8, and patterns are matched
 * place by place.
 */
import type { DataType } from '../../model/types.ts'
import type { Plain } from './batch.case.ts'

export type Asked =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Asked[] }
  | { readonly kind: 'not'; readonly part: Asked }
  | { readonly kind: 'test'; readonly place: Place; readonly operator: Operator; readonly values: readonly Plain[] }

/** Indexes of a column and of fields inside it, and how that is written. */
export interface Place {
  readonly path: readonly number[]
  readonly name: string
  readonly type: DataType
}

export const comparisons = ['=', '<>', '!=', '<', '<=', '>', '>='] as const
export const presences = ['is null', 'is not null'] as const
export const lists = ['in', 'not in'] as const
export const ranges = ['between', 'not between'] as const
export const likes = ['like', 'not like'] as const
export type Operator = (typeof comparisons | typeof presences | typeof lists | typeof ranges | typeof likes)[number]

type Truth = boolean | null

/** True, false or (null) unknown. */
export function judge(asked: Asked, row: readonly Plain[]): Truth {
  switch (asked.kind) {
    case 'not':
      return negated(judge(asked.part, row))
    case 'and':
      return every(asked.parts.map((part) => judge(part, row)))
    case 'or':
      return negated(every(asked.parts.map((part) => negated(judge(part, row)))))
    case 'test':
      return judgeTest(asked.operator, valueIn(row, asked.place.path), asked.values, asked.place.type)
  }
}

const negated = (truth: Truth): Truth => (truth === null ? null : !truth)
const every = (truths: readonly Truth[]): Truth => (truths.includes(false) ? false : truths.includes(null) ? null : true)

/** At a place: null where a row on the way is null. */
export function valueIn(row: readonly Plain[], path: readonly number[]): Plain {
  let value: Plain = row
  for (const index of path) value = value === null ? null : ((value as readonly Plain[])[index] ?? null)
  return value
}

function judgeTest(operator: Operator, value: Plain, values: readonly Plain[], type: DataType): Truth {
  if (operator === 'is null') return value === null
  if (operator === 'is not null') return value !== null
  if (value === null) return null
  const orders = values.map((each) => order(value, type.kind === 'float' ? Math.fround(each as number) : each))
  const [first = 0, second = 0] = orders
  switch (operator) {
    case '=':
      return first === 0
    case '<>':
    case '!=':
      return first !== 0
    case '<':
      return first < 0
    case '<=':
      return first <= 0
    case '>':
      return first > 0
    case '>=':
      return first >= 0
    case 'in':
      return orders.includes(0)
    case 'not in':
      return !orders.includes(0)
    case 'between':
      return first >= 0 && second <= 0
    case 'not between':
      return first < 0 || second > 0
    case 'like':
      return isLike([...(value as string)], [...(values[0] as string)])
    case 'not like':
      return !isLike([...(value as string)], [...(values[0] as string)])
  }
}

/** Negative, 0 or positive; NaN is the greatest number, and equals itself. */
function order(a: Plain, b: Plain): number {
  if (typeof a === 'string') return listOrder(codePoints(a), codePoints(b as string))
  if (a instanceof Uint8Array) return listOrder([...a], [...(b as Uint8Array)])
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
  const [left, right] = [a as number | bigint | boolean, b as number | bigint | boolean]
  return left < right ? -1 : left > right ? 1 : 0
}

const codePoints = (text: string): number[] => Array.from(text, (character) => character.codePointAt(0) as number)

function listOrder(a: readonly number[], b: readonly number[]): number {
  const differing = a.findIndex((each, i) => each !== b[i])
  if (differing < 0) return a.length - b.length
  return differing < b.length ? (a[differing] as number) - (b[differing] as number) : 1
}

/** All the places of the text that each further part of the pattern can lead to. */
function isLike(text: readonly string[], pattern: readonly string[]): boolean {
  let places = new Set([0])
  for (const part of pattern) {
    const next = new Set<number>()
    for (const place of places) {
      if (part === '%') for (let i = place; i <= text.length; i++) next.add(i)
      else if (place < text.length && (part === '_' || part === text[place])) next.add(place + 1)
    }
    places = next
  }
  return places.has(text.length)
}
