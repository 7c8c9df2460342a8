/** What docs/client.md shows, as it stands there. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { SluiceClient } from '../../client/client.ts'
import { memorySite } from './harness.ts'

test('the snippets of docs/client.md run, one after the other', async () => {
  const text = await readFile(new URL('../../docs/client.md', import.meta.url), 'utf8')
  const snippets = Array.from(text.matchAll(/```ts\n(.*?)```/gs), ([, snippet = '']) => snippet.replace(/^import .*$/gm, ''))
  const site = await memorySite()
  try {
    const shown: unknown[] = []
    const code = `return (async () => { ${snippets.join('\n')} })()`
    const run = new Function('SluiceClient', 'console', code.replace('http://127.0.0.1:8080', site.running.url))
    await run(SluiceClient, { log: (...values: unknown[]) => shown.push(values[0]) })
    expect(snippets.length).toBe(2)
    expect(shown.slice(0, 3)).toMatchObject([[{ id: 1n, text: 'hello' }], { city: 'Ulm', n: 2n }, [{ city: 'Ulm', n: 2n }]])
  } finally {
    await site.close()
  }
})
