import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { openapiDocument } from '../../contract/openapi.ts'
import { defaultKeyed, printKeyed } from '../../core/model/keyed.ts'
import { type OptionName, optionEntry, optionNames, wordsOf } from '../../core/model/option-table.ts'
import { defaultOptions, parseOptions, printOptions } from '../../core/model/options.ts'

/** Tables without a primary key do not have them. */
const ofKeys = /^(merge-engine|changelog|delete|auto-increment)/
const plain = optionNames.filter((name) => !name.startsWith('fields.'))

test('docs/options.md has every option with its default and its bounds', () => {
  const text = readFileSync(new URL('../../docs/options.md', import.meta.url), 'utf8')
  const rows = [...text.matchAll(/^\| `(.+?)` \| (.+?) \| (.+?) \| (.+?) \|$/gm)].map(([line]) => line)
  const expected = optionNames.map((name) => {
    const { default: byDefault, takes, about, isFixed } = optionEntry(name)
    const value = byDefault === undefined ? '' : `\`${byDefault}\``
    return `| \`${name}\` | ${value || '–'} | ${wordsOf(takes)} | ${about}${isFixed ? '; fixed at create' : ''} |`
  })
  expect(rows).toEqual(expected)
})

test('the defaults that are described are those that hold, and bounds are the last values that are taken', () => {
  for (const name of plain) {
    const { default: byDefault, takes } = optionEntry(name)
    const others = name.startsWith('lake.') ? { 'lake.format': 'iceberg', 'lake.catalog': 'c' } : {}
    const base = parseOptions(others)
    const read = (value: string) => parseOptions({ ...others, [name]: value })
    if (byDefault !== undefined && !ofKeys.test(name) && name !== 'lake.format') expect(read(byDefault), name).toEqual(base)
    const inside = takes.is === 'choice' ? takes.values : takes.is === 'text' ? [] : [`${takes.min}`, `${takes.max}`]
    for (const value of inside) if (!(name === 'lake.format' && value === 'none')) expect(() => read(value), name).not.toThrow()
    if (takes.is === 'number')
      for (const value of [takes.min - 1, takes.max + 1]) expect(() => read(`${value}`)).toThrow(wordsOf(takes))
    if (takes.is === 'duration' || takes.is === 'size')
      for (const value of ['0ms', `${Number.parseInt(takes.max, 10) + 1}${takes.max.replace(/[0-9]+/, '')}`])
        expect(() => read(value), name).toThrow(wordsOf(takes))
  }
  expect(printOptions(defaultOptions)).toMatchObject({ 'lake.format': optionEntry('lake.format').default })
  const { 'delete.behavior': _, ...keyed } = printKeyed(defaultKeyed)
  for (const [name, value] of Object.entries(keyed)) expect(optionEntry(name as OptionName).default, name).toBe(value)
})

test('/openapi.json has every option with its default, and those that can be changed', () => {
  const schemas = openapiDocument().components?.schemas as Record<string, { properties: Record<string, { default?: string }> }>
  const shown = schemas.TableOptions?.properties ?? {}
  expect(Object.keys(shown)).toEqual(plain)
  for (const name of plain) expect(shown[name]?.default).toBe(optionEntry(name).default)
  expect(Object.keys(schemas.TableOptionChanges?.properties ?? {})).toEqual(plain.filter((name) => !optionEntry(name).isFixed))
})
