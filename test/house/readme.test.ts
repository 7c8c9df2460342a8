/** The lines of README's quick start, run as a reader would paste them, against a server on a free port. */
import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'

const home = path.resolve(import.meta.dirname, '../..')
const folder = mkdtempSync(path.join(tmpdir(), 'sluice-readme-'))
const run = promisify(execFile)
let server: ReturnType<typeof spawn> | undefined
let base = ''

beforeAll(async () => {
  const child = spawn(process.execPath, ['cli/main.ts', 'serve', '--port', '0', '--data', folder], { cwd: home })
  server = child
  base = await new Promise<string>((resolve, reject) => {
    let out = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        out += chunk
        const [, url] = /listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(out) ?? []
        if (url !== undefined) resolve(url)
      })
    child.once('exit', (status) => reject(new Error(`the server ended with ${status}: ${out}`)))
  })
})

afterAll(async () => {
  if (server?.exitCode === null) {
    const gone = new Promise((resolve) => server?.once('exit', resolve))
    server.kill('SIGTERM')
    await gone
  }
  rmSync(folder, { recursive: true, force: true })
})

test('the quick start works line by line', async () => {
  const lines = readFileSync(path.join(home, 'README.md'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('curl '))
  expect(lines).toHaveLength(10)
  const answers: string[] = []
  for (const line of lines) {
    const { stdout } = await run('bash', [
      '-c',
      `${line.replaceAll('http://127.0.0.1:8080', base)} --silent --show-error --fail-with-body`,
    ])
    answers.push(stdout)
  }
  expect(JSON.parse(answers[2] ?? '')).toMatchObject({
    buckets: [{ bucket: 0, baseOffset: '0', endOffset: '1' }],
    duplicate: false,
  })
  expect(JSON.parse(answers[3] ?? '')).toMatchObject({ id: '1', text: 'hello', __offset: '0' })
  expect(JSON.parse(answers[4] ?? '')).toMatchObject({ lagRows: 0 })
  expect(JSON.parse(answers[8] ?? '')).toMatchObject({ rows: [{ city: 'Ulm', n: '5' }] })
  const changelog = (answers[9] ?? '')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { __op: string; n: string })
  expect(changelog.map(({ __op, n }) => `${__op} ${n}`)).toEqual(['+I 2', '-U 2', '+U 5'])
})
