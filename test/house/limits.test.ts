import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { limits } from '../../core/kernel/limits.ts'

test('docs/limits.md names every limit with its value', () => {
  const text = readFileSync(new URL('../../docs/limits.md', import.meta.url), 'utf8')
  const section = text.slice(text.indexOf('\n## Limits\n'), text.indexOf('\n## ', text.indexOf('\n## Limits\n') + 4))
  const rows = [...section.matchAll(/^\| `(\w+)` \| (\d+) \| .+ \|$/gm)].map(([, name, value]) => [name, value])
  expect(Object.fromEntries(rows)).toEqual(
    Object.fromEntries(Object.entries(limits).map(([name, value]) => [name, String(value)])),
  )
})
