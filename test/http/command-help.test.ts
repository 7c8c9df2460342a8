/** What the command says when something is wrong, and what it offers while it is typed. */
import { spawnSync } from 'node:child_process'
import { beforeAll, expect, test } from 'vitest'
import { fixFor } from '../../cli/fix.ts'
import product from '../../package.json' with { type: 'json' }
import { makeTable, siteOfFile } from './harness.ts'
import { sluice } from './sluice.ts'

const site = await siteOfFile()
beforeAll(async () => {
  await makeTable(site.client, 'orders')
  await makeTable(site.client, 'offers')
})

const run = (...args: string[]) => sluice({ url: site.running.url }, ...args).ended

test.each([
  [['fetch', 'd.absent'], 'sluice table list d'],
  [['produce', 'd.absent'], 'sluice table list d'],
  [['table', 'list', 'absent'], 'sluice db list'],
  [['table', 'create', 'absent.t', '--column', 'id int'], 'sluice db create absent'],
  [['table', 'create', 'd.orders', '--column', 'id int'], 'sluice table describe d.orders'],
  [['table', 'create', 'd.new', '--column', 'id int', '--option', 'foo=1'], 'sluice table create --help'],
  [['table', 'alter', 'd.orders', '--set', 'foo=1'], 'sluice table describe d.orders'],
  [['db', 'drop', 'd'], 'sluice db drop d --cascade'],
  [['fetch', 'd.orders', '--bucket', '0', '--from', '9'], 'sluice offsets d.orders'],
  [['fetch', 'd.orders', '--where', 'nothing = 1'], 'sluice table describe d.orders'],
  [['status', '--url', 'http://127.0.0.1:1'], 'sluice serve'],
  [['sql', 'select 1'], 'sluice --help'],
])('%j fails, and ends with what to type next', async (args, fix) => {
  const { status, out, err } = await run(...args)
  expect([status, out, err.trimEnd().split('\n').at(-1)]).toEqual([1, '', `try: ${fix}`])
})

test.each([
  [
    'not-found',
    'partition "p=1" does not exist',
    '/v1/databases/d/tables/t/partitions/p=1%20x',
    "sluice partition add d.t 'p=1 x'",
  ],
  ['not-found', 'partition "p=1" does not exist', '/v1/databases/d/tables/t/log?partition=p', 'sluice partition list d.t'],
  ['unauthenticated', 'who are you?', '/v1', 'export SLUICE_TOKEN=…'],
  ['internal', 'a defect', '/v1/databases/d', undefined],
])('%s: %s', (code, message, path, fix) => {
  expect(fixFor({ code, message, method: 'GET', path })).toBe(fix)
})

test.each([
  [['ta'], ['table']],
  [['table', 'al'], ['alter']],
  [['table', 'alter', 'd.orders', '--add'], ['--add-column']],
  [
    ['fetch', ''],
    ['d.offers', 'd.orders'],
  ],
  [['fetch', '--limit', '3', 'd.or'], ['d.orders']],
  [['fetch', '--limit', ''], []],
  [['table', 'list', ''], ['d']],
  [['db', 'drop', ''], ['d']],
  [['produce', 'd.orders', ''], []],
  [['completion', 'b'], ['bash']],
])('after %j comes %j', async (words, found) => {
  const { out } = await run('complete', '--', ...words)
  expect(out.split('\n').filter((line) => line !== '')).toEqual(found)
})

test('bash takes the script and completes with it', async () => {
  const { out } = await run('completion', 'bash')
  const script = `sluice() { echo d.orders; echo d.offers; }\n${out}\nCOMP_WORDS=(sluice fetch d.or); COMP_CWORD=2; _sluice; echo "\${COMPREPLY[@]}"`
  const bash = spawnSync('bash', ['-c', script], { encoding: 'utf8' })
  expect([bash.stdout, bash.stderr]).toEqual(['d.orders\n', ''])
})

test.each(['zsh', 'fish'])('%s has a script', async (shell) => {
  expect(await run('completion', shell)).toMatchObject({ status: 0, out: expect.stringContaining('sluice complete --') })
})

test('the command says its version', async () => {
  expect(await run('--version')).toMatchObject({ status: 0, out: `${product.version}\n`, err: '' })
})

test('a shell that is none is wrong usage', async () => {
  expect(await run('completion', 'csh')).toMatchObject({ status: 2 })
})

test('every command has --json, but those that print nothing, or a script', async () => {
  for (const command of [
    'db list',
    'table describe',
    'table alter',
    'partition list',
    'produce',
    'fetch',
    'offsets',
    'tier',
    'cost',
    'status',
    'demo',
  ])
    expect((await run(...command.split(' '), '--help')).out).toContain('--json')
})
