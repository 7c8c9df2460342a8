/** The lines of docs/keyed.md, as a reader would paste them. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { readLines, siteOfFile } from './harness.ts'

const run = promisify(execFile)
const site = await siteOfFile()

test('the lines of docs/keyed.md work one after the other, and do what is said of them', async () => {
  const text = await readFile(new URL('../../docs/keyed.md', import.meta.url), 'utf8')
  const answers: string[] = []
  for (const [line] of text.matchAll(/^curl .*$/gm)) {
    const command = line.replaceAll('http://127.0.0.1:8080', site.running.url)
    answers.push((await run('bash', ['-c', `${command} --silent --show-error --fail-with-body`])).stdout)
  }
  const [found, inserted, prefix] = answers.slice(6, 9).map((answer) => JSON.parse(answer).rows)
  expect(found).toEqual([{ line: 'U1', stop: 1, riders: '8', note: 'lift' }, null])
  expect(inserted).toEqual([{ line: 'U3', stop: 1, riders: null, note: null }])
  expect(prefix).toEqual([[{ stop: 1, riders: '8' }]])
  const [rows, count, changelog, binlog] = answers.slice(9)
  expect([readLines(rows ?? ''), JSON.parse(count ?? '')]).toEqual([[{ line: 'U1', riders: '8' }], { count: '2' }])
  const ofU1 = readLines(changelog ?? '').filter(({ line }) => line === 'U1')
  expect(ofU1.map(({ __op, stop, riders }) => [__op, stop, riders])).toEqual([
    ['+I', 1, '7'],
    ['+I', 2, '3'],
    ['-D', 2, '3'],
    ['-U', 1, '7'],
    ['+U', 1, '8'],
  ])
  expect(readLines(binlog ?? '').map(({ __op, before, after }) => [__op, before, after])).toContainEqual([
    '+U',
    { stop: 1, riders: '7' },
    { stop: 1, riders: '8' },
  ])
})
