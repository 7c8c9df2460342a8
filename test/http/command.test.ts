/** The command as a person starts it: the launcher, what it prints, how it ends. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

const launcher = fileURLToPath(new URL('../../bin/sluice.mjs', import.meta.url))
let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-command-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

interface Run {
  readonly child: ChildProcess
  readonly text: () => string
  readonly ended: Promise<number | null>
}

function run(command: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}): Run {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...environment } })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (text += chunk))
  return { child, text: () => text, ended: new Promise((resolve) => child.on('close', resolve)) }
}

const sluice = (...args: string[]) => run(process.execPath, [launcher, ...args])

test('serve says where it listens, its three lines work, and a signal ends it with 0', async () => {
  const server = sluice('serve', '--port', '0', '--data', join(directory, 'data'))
  await expect.poll(server.text, { timeout: 15_000 }).toMatch(/offset=earliest/)
  const [first, ...lines] = server.text().trim().split('\n')
  expect(first).toMatch(/^listening on http:\/\/127\.0\.0\.1:[0-9]+$/)
  const pasted = run('sh', ['-c', lines.map((line) => line.replaceAll('curl ', 'curl -sS ')).join('\n')])
  expect(await pasted.ended).toBe(0)
  expect(pasted.text()).toContain('"text":"hello"')
  const port = /:([0-9]+)$/.exec(first ?? '')?.[1] as string
  const second = sluice('serve', '--port', port, '--data', join(directory, 'data'))
  expect([await second.ended, second.text()]).toEqual([1, expect.stringContaining(`port ${port} is in use`)])
  const status = sluice('offsets', 'demo.hello', '--json', '--url', `http://127.0.0.1:${port}`)
  expect([await status.ended, JSON.parse(status.text()).buckets[0].end]).toEqual([0, '1'])
  server.child.kill('SIGTERM')
  expect(await server.ended).toBe(0)
})

test.each([
  [['serve', '--port', 'x'], 2, 'from 0 to 65535'],
  [['serve', '--prt', '1'], 2, '--port'],
  [['serve', '--objects', 'ftp://x'], 2, 's3://bucket/prefix'],
  [['sql', 'select 1'], 1, 'not in this build'],
  [['offsets', 'hello'], 2, 'database.table'],
  [['offsets', 'a.b', '--url', 'http://127.0.0.1:1'], 1, 'is sluice serve running?'],
  [['offsets', 'a.b', '--url', 'nonsense'], 2, '--url must be like http://127.0.0.1:8080'],
  [['produce', 'a.b', 'no-such-file'], 1, 'cannot read no-such-file: ENOENT'],
  [['table', 'create', 'a.b', '@no-such-file'], 1, 'cannot read no-such-file: ENOENT'],
])('%j ends with %i', async (args, status, message) => {
  const { ended, text } = sluice(...args)
  expect([await ended, text()]).toEqual([status, expect.stringContaining(message)])
})

test('a data directory that cannot be one is named', async () => {
  const file = join(directory, 'file')
  await writeFile(file, '')
  const { ended, text } = sluice('serve', '--port', '0', '--data', file)
  expect([await ended, text()]).toEqual([1, expect.stringContaining(file)])
})

test('a demo whose launcher is killed ends too', async () => {
  const demo = sluice('demo', '--data', join(directory, 'demo'))
  await expect.poll(demo.text, { timeout: 15_000 }).toMatch(/Stream 3,000,000 flights/)
  demo.child.kill('SIGKILL')
  // its output closes when nobody holds it any more
  await demo.ended
})

test('a server whose npm is killed ends too', async () => {
  const args = ['serve', '--port', '0', '--data', join(directory, 'npm')]
  const shell = `${[process.execPath, launcher, ...args].join(' ')}; true`
  const npm = run('sh', ['-c', shell], { npm_lifecycle_event: 'start' })
  await expect.poll(npm.text, { timeout: 15_000 }).toMatch(/listening on/)
  npm.child.kill('SIGTERM')
  await npm.ended
})
