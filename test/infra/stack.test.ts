/**
 * The stack of sst.config.ts and infra/, evaluated offline: the rules hold, each function may do exactly what the table
 * below says, and the DynamoDB table that the wire tests create is this one. The planted variants show that the rules
 * can fail: each breaks one line of the stack and must be refused by the rule that guards it.
 */
import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Resource } from './evaluate.ts'
import { granted } from './granted.ts'
import { functions, grantsOf, of, rules } from './rules.ts'
import { tableDefinition } from './table.ts'

const home = path.resolve(import.meta.dirname, '../..')
const run = promisify(execFile)

const sizes: Readonly<Record<string, { readonly memory: number; readonly seconds: number }>> = {
  IngestFunction: { memory: 1024, seconds: 30 },
  ReadFunction: { memory: 1024, seconds: 30 },
  AdminFunction: { memory: 512, seconds: 30 },
  CatalogFunction: { memory: 512, seconds: 30 },
  TierFunction: { memory: 1769, seconds: 900 },
  SweepFunction: { memory: 256, seconds: 50 },
}

/** One broken line each, and the rule that refuses it. */
const planted: readonly {
  readonly what: string
  readonly file: string
  readonly from: string
  readonly to: string
  readonly rule: string
}[] = [
  {
    what: 'url: true',
    file: 'room.ts',
    from: "url: { authorization: 'iam' as const, cors: false }",
    to: 'url: true',
    rule: 'every function URL asks for IAM',
  },
  {
    what: 'url: true, and its permission for everyone',
    file: 'room.ts',
    from: "url: { authorization: 'iam' as const, cors: false }",
    to: 'url: true',
    rule: 'nobody may invoke a function without a role',
  },
  {
    what: 'link',
    file: 'room.ts',
    from: 'handler: args.handler,',
    to: 'handler: args.handler, link: [bucket, table],',
    rule: 'no role has a wildcard action',
  },
  {
    what: 'a whole bucket',
    file: 'grants.ts',
    from: '$interpolate`${bucket.arn}/${prefix}/*`',
    to: '$interpolate`${bucket.arn}/*`',
    rule: 'no role has a wildcard resource',
  },
  {
    what: 'every table',
    file: 'grants.ts',
    from: 'resources: [table.arn]',
    to: "resources: ['*']",
    rule: 'no role has a wildcard resource',
  },
  {
    what: 'the default log policy',
    file: 'room.ts',
    from: 'role.managedPolicyArns = []',
    to: '',
    rule: 'no role has a managed policy',
  },
  {
    what: 'the default trust',
    file: 'room.ts',
    from: "role.assumeRolePolicy = aws.iam.assumeRolePolicyForPrincipal({ Service: 'lambda.amazonaws.com' })",
    to: '',
    rule: 'only a service assumes a role',
  },
  {
    what: 'a public bucket',
    file: 'storage.ts',
    from: 'cors: false,',
    to: "access: 'public',",
    rule: 'every bucket blocks public access',
  },
  {
    what: 'plain HTTP',
    file: 'storage.ts',
    from: 'enforceHttps: true',
    to: 'enforceHttps: false',
    rule: 'a bucket answers over TLS only, and allows nothing to everyone',
  },
  {
    what: 'no recovery',
    file: 'storage.ts',
    from: 'enabled: true',
    to: 'enabled: false',
    rule: 'the table can be restored to any second',
  },
  {
    what: 'an index',
    file: 'storage.ts',
    from: 'deletionProtection:',
    to: "globalIndexes: { byId: { hashKey: 'sk' } }, deletionProtection:",
    rule: 'nothing reads an index',
  },
  {
    what: 'no dead-letter queue',
    file: 'jobs.ts',
    from: 'dlq: { queue: dead.arn, retry: 5 },',
    to: '',
    rule: 'a consumed queue has a dead-letter queue and waits for its function',
  },
  {
    what: 'a job shown twice',
    file: 'jobs.ts',
    from: '16 minutes',
    to: '1 minute',
    rule: 'a consumed queue has a dead-letter queue and waits for its function',
  },
  {
    what: 'x86',
    file: 'room.ts',
    from: "architecture: 'arm64'",
    to: "architecture: 'x86_64'",
    rule: 'functions run on arm64 with Node 24',
  },
]

describe('the stack', () => {
  let stack: readonly Resource[] = []
  beforeAll(async () => {
    stack = await evaluate(home)
  })

  test.each(Object.keys(rules))('%s', (name) => {
    expect(rules[name]?.(stack)).toEqual([])
  })

  test('has no role but those of the table', () => {
    expect(
      of(stack, 'aws:iam/role:Role')
        .map((role) => role.name)
        .sort(),
    ).toEqual(
      Object.keys(granted)
        .map((name) => `${name}Role`)
        .sort(),
    )
  })

  test.each(Object.keys(granted))('%s may do exactly what the table says', (name) => {
    const actual: Record<string, string[]> = {}
    for (const { action, resource } of grantsOf(stack, `${name}Role`))
      actual[resource] = [...(actual[resource] ?? []), action].sort()
    const expected = Object.fromEntries(
      Object.entries(granted[name] ?? {}).map(([resource, actions]) => [resource, [...actions].sort()]),
    )
    expect(actual).toEqual(expected)
  })

  test('gives each function its memory and time', () => {
    const actual = functions(stack).map((each) => [
      each.name,
      { memory: each.inputs['memorySize'], seconds: each.inputs['timeout'] },
    ])
    expect(Object.fromEntries(actual)).toEqual(sizes)
  })

  test('has URLs for ingest, read, admin and catalog alone', () => {
    expect(
      of(stack, 'aws:lambda/functionUrl:FunctionUrl')
        .map((url) => url.name)
        .sort(),
    ).toEqual(['AdminUrl', 'CatalogUrl', 'IngestUrl', 'ReadUrl'])
  })

  test('sweeps every minute', () => {
    const schedules = of(stack, 'aws:scheduler/schedule:Schedule').map(({ inputs }) => [
      inputs['scheduleExpression'],
      inputs['state'],
      (inputs['target'] as { arn: string }).arn.split(':').at(-1),
    ])
    expect(schedules).toEqual([['rate(1 minute)', 'ENABLED', 'SweepFunction']])
  })

  test('feeds tier one job at a time', () => {
    const mappings = of(stack, 'aws:lambda/eventSourceMapping:EventSourceMapping').map(({ inputs }) => inputs['batchSize'])
    expect(mappings).toEqual([1])
  })

  test('names a handler file that exists for each function', () => {
    const handlers = [...readFileSync(path.join(home, 'infra/http.ts'), 'utf8').matchAll(/handler: '(.+)\.handler'/g)]
      .concat([...readFileSync(path.join(home, 'infra/work.ts'), 'utf8').matchAll(/handler: '(.+)\.handler'/g)])
      .map((match) => path.join(home, `${match[1]}.ts`))
    expect(handlers).toHaveLength(6)
    for (const file of handlers) expect(readFileSync(file, 'utf8')).toMatch(/export (const|async function|function) handler\b/)
  })

  test('is the source of table-definition.json', () => {
    const kept = JSON.parse(readFileSync(path.join(import.meta.dirname, 'table-definition.json'), 'utf8')) as unknown
    expect(kept).toEqual(tableDefinition(stack))
  })

  test('keeps its bucket and its table in production', async () => {
    const production = await evaluate(home, 'production')
    expect(of(production, 'aws:s3/bucket:Bucket').map((bucket) => bucket.inputs['forceDestroy'])).toEqual([false])
    expect(of(production, 'aws:dynamodb/table:Table').map((table) => table.inputs['deletionProtectionEnabled'])).toEqual([true])
  })
})

describe.concurrent('a planted stack is refused', () => {
  test.each(planted)('$what', async ({ file, from, to, rule }) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'sluice-planted-'))
    try {
      cpSync(path.join(home, 'sst.config.ts'), path.join(folder, 'sst.config.ts'))
      cpSync(path.join(home, 'infra'), path.join(folder, 'infra'), { recursive: true })
      const source = readFileSync(path.join(folder, 'infra', file), 'utf8')
      expect(source).toContain(from)
      writeFileSync(path.join(folder, 'infra', file), source.replace(from, to))
      const stack = await evaluate(folder)
      expect(rules[rule]?.(stack)).not.toEqual([])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

async function evaluate(folder: string, stage = 'test'): Promise<readonly Resource[]> {
  const { stdout } = await run(process.execPath, [path.join(import.meta.dirname, 'evaluate.ts'), folder, stage], {
    maxBuffer: 64 * 1024 * 1024,
    timeout: 60_000,
  })
  return JSON.parse(stdout) as readonly Resource[]
}
