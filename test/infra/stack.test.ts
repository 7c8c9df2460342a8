/**
 * The stack of sst.config.ts and infra/, evaluated offline: the rules hold, each function may do exactly what the table
 * below says, and the DynamoDB table that the wire tests create is this one. The planted variants show that the rules
 * can fail: each breaks one line of the stack and must be refused by the rule that guards it.
 */
import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Resource } from './evaluate.ts'
import { granted, grantedOfCatalogs } from './granted.ts'
import { functions, grantsOf, of, rules } from './rules.ts'
import { tableDefinition } from './table.ts'

const home = path.resolve(import.meta.dirname, '../..')
/** A file of all kinds of external catalogs. */
const catalogs = path.join(import.meta.dirname, 'catalogs.json')
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
    what: 'a secret in the environment',
    file: 'room.ts',
    from: 'SLUICE_QUEUE: jobs.url,',
    to: "SLUICE_QUEUE: jobs.url, PROD_SECRET: 's3cret',",
    rule: 'an environment has nothing but names',
  },
  {
    what: 'a secret among the catalogs',
    file: 'catalogs.ts',
    from: '{ SLUICE_CATALOGS: text }',
    to: `{ SLUICE_CATALOGS: text.replace('"clientId"', '"clientSecret":"s3cret","clientId"') }`,
    rule: 'an environment has nothing but names',
  },
  {
    what: 'catalogs for who takes rows in',
    file: 'http.ts',
    from: 'sendJobs(),',
    to: 'sendJobs(), ...commits,',
    rule: 'only who knows the external catalogs may use one',
  },
  {
    what: 'every secret',
    file: 'catalogs.ts',
    from: "actions: ['secretsmanager:GetSecretValue'], resources: [arn]",
    to: "actions: ['secretsmanager:GetSecretValue'], resources: [arn.replace(/secret:.*/, 'secret:*')]",
    rule: 'no role has a wildcard resource',
  },
  {
    what: 'every table bucket',
    file: 'catalogs.ts',
    from: '.test(warehouse)) return warehouse',
    to: ".test(warehouse)) return warehouse.replace(/[^/]+$/, '*')",
    rule: 'no role has a wildcard resource',
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
    expect(rolesOf(stack)).toEqual(rolesIn(granted))
  })

  test.each(Object.keys(granted))('%s may do exactly what the table says', (name) => {
    expect(actionsOf(stack, name)).toEqual(sorted(granted[name] ?? {}))
  })

  test('names no catalog where none was given', () => {
    expect(functions(stack).filter(knowsCatalogs)).toEqual([])
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
    const production = await evaluate(home, { stage: 'production' })
    expect(of(production, 'aws:s3/bucket:Bucket').map((bucket) => bucket.inputs['forceDestroy'])).toEqual([false])
    expect(of(production, 'aws:dynamodb/table:Table').map((table) => table.inputs['deletionProtectionEnabled'])).toEqual([true])
  })
})

describe('the stack of a deployment with external catalogs', () => {
  let stack: readonly Resource[] = []
  beforeAll(async () => {
    stack = await evaluate(home, { catalogs })
  })

  test.each(Object.keys(rules))('%s', (name) => {
    expect(rules[name]?.(stack)).toEqual([])
  })

  test.each(Object.keys(granted))('%s may do exactly what the table says', (name) => {
    expect(actionsOf(stack, name)).toEqual(sorted(grantedOfCatalogs[name] ?? {}))
  })

  test('gives them to admin and tier alone, with the names of secrets', () => {
    const knowing = functions(stack).filter(knowsCatalogs)
    expect(knowing.map((each) => each.name).sort()).toEqual(['AdminFunction', 'TierFunction'])
    for (const { inputs } of knowing) {
      const { variables } = inputs['environment'] as { readonly variables: Record<string, string> }
      expect(JSON.parse(variables['SLUICE_CATALOGS'] ?? '')).toEqual(JSON.parse(readFileSync(catalogs, 'utf8')))
    }
  })

  const sigv4 = { type: 'sigv4', region: 'eu-west-1', service: 'glue' }
  const uri = 'https://catalog.example.com'
  test.each([
    [
      'a secret of the environment',
      { uri, location: 's3://bucket/p', auth: { type: 'bearer', tokenEnv: 'TOKEN' } },
      'c.auth.tokenEnv would put a secret into the stack: name its ARN in AWS Secrets Manager in c.auth.tokenArn',
    ],
    ['no place for tables', { uri }, 'c.location must say where its tables are'],
    ['no account', { uri, location: 's3://bucket/p', auth: sigv4 }, 'c.warehouse must be the 12 digits of the account'],
    ['another service', { uri, location: 's3://bucket/p', auth: { ...sigv4, service: 's3' } }, 'must be glue or s3tables'],
    ['no table bucket', { uri, warehouse: 'b', auth: { ...sigv4, service: 's3tables' } }, 'must be the ARN of a table bucket'],
    [
      'a name that is too long',
      { uri: `${uri}/${'x'.repeat(1_800)}`, location: `s3://bucket/${'x'.repeat(1_800)}` },
      'has more than 3072 bytes',
    ],
  ])('%s is refused before anything is deployed', async (_what, catalog, message) => {
    await expect(evaluate(home, { catalogs: JSON.stringify({ c: catalog }) })).rejects.toThrow(message)
  })
})

describe.concurrent('a planted stack is refused', () => {
  test.each(planted)('$what', async ({ file, from, to, rule }) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'sluice-planted-'))
    try {
      cpSync(path.join(home, 'sst.config.ts'), path.join(folder, 'sst.config.ts'))
      cpSync(path.join(home, 'infra'), path.join(folder, 'infra'), { recursive: true })
      for (const part of ['core', 'stores']) symlinkSync(path.join(home, part), path.join(folder, part))
      const source = readFileSync(path.join(folder, 'infra', file), 'utf8')
      expect(source).toContain(from)
      writeFileSync(path.join(folder, 'infra', file), source.replace(from, to))
      const stack = await evaluate(folder, { catalogs })
      expect(rules[rule]?.(stack)).not.toEqual([])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

function rolesOf(stack: readonly Resource[]): readonly string[] {
  return of(stack, 'aws:iam/role:Role')
    .map((role) => role.name)
    .sort()
}

const rolesIn = (table: typeof granted): readonly string[] =>
  Object.keys(table)
    .map((name) => `${name}Role`)
    .sort()

function actionsOf(stack: readonly Resource[], name: string): Record<string, readonly string[]> {
  const actual: Record<string, readonly string[]> = {}
  for (const { action, resource } of grantsOf(stack, `${name}Role`))
    actual[resource] = [...(actual[resource] ?? []), action].sort()
  return actual
}

const sorted = (table: Readonly<Record<string, readonly string[]>>): Record<string, readonly string[]> =>
  Object.fromEntries(Object.entries(table).map(([resource, actions]) => [resource, [...actions].sort()]))

const knowsCatalogs = ({ inputs }: Resource): boolean =>
  (inputs['environment'] as { readonly variables?: Record<string, string> } | undefined)?.variables?.['SLUICE_CATALOGS'] !==
  undefined

async function evaluate(
  folder: string,
  { stage = 'test', catalogs: named = '' }: { readonly stage?: string; readonly catalogs?: string } = {},
): Promise<readonly Resource[]> {
  const { stdout } = await run(process.execPath, [path.join(import.meta.dirname, 'evaluate.ts'), folder, stage], {
    env: { ...process.env, SLUICE_CATALOGS: named },
    maxBuffer: 64 * 1024 * 1024,
    timeout: 60_000,
  })
  return JSON.parse(stdout) as readonly Resource[]
}
