/**
 * What must hold for any stack of this product, as functions from evaluated resources to complaints. They know nothing
 * of how the stack is written, so the planted variants show that each can fail.
 */
import type { Resource } from './evaluate.ts'

interface Statement {
  readonly effect?: string
  readonly actions: readonly string[]
  readonly resources?: readonly string[]
  readonly principals?: readonly { readonly type: string; readonly identifiers: readonly string[] }[]
}

export interface Grant {
  readonly action: string
  /** Without what is before the name. */
  readonly resource: string
  readonly arn: string
}

export type Rule = (resources: readonly Resource[]) => readonly string[]

export const rules: Readonly<Record<string, Rule>> = {
  'every function URL asks for IAM': (resources) =>
    of(resources, 'aws:lambda/functionUrl:FunctionUrl')
      .filter((url) => url.inputs['authorizationType'] !== 'AWS_IAM')
      .map((url) => `${url.name} is public`),

  'nobody may invoke a function without a role': (resources) =>
    of(resources, 'aws:lambda/permission:Permission')
      .filter((each) => each.inputs['principal'] === '*')
      .map((each) => `${each.name} lets everyone ${String(each.inputs['action'])}`),

  'no role has a wildcard action': (resources) =>
    everyGrant(resources)
      .filter(({ action }) => action.includes('*'))
      .map(({ role, action }) => `${role} may ${action}`),

  'no role has a wildcard resource': (resources) =>
    everyGrant(resources)
      .filter((grant) => !isExact(grant))
      .map(({ role, action, resource }) => `${role} may ${action} on ${resource}`),

  'an environment has nothing but names': (resources) =>
    functions(resources).flatMap((each) =>
      Object.entries(variablesOf(each))
        .filter(([name, value]) => !named.test(name) || /"(?:client)?(?:secret|token)(?:Env)?":/i.test(value))
        .map(([name]) => `${each.name} has ${name}, which may be a secret`),
    ),

  'only who knows the external catalogs may use one': (resources) =>
    functions(resources).flatMap((each) => {
      const role = each.name.replace(/Function$/, 'Role')
      const knows = variablesOf(each)['SLUICE_CATALOGS'] !== undefined
      const rights = grantsOf(resources, role).filter(({ action }) => /^(glue|s3tables|secretsmanager):/.test(action))
      if (knows && rights.length === 0) return [`${each.name} knows catalogs that it may not use`]
      return knows ? [] : rights.map(({ action }) => `${role} may ${action}, and knows no catalog`)
    }),

  'no role has a managed policy': (resources) =>
    of(resources, 'aws:iam/role:Role').flatMap((role) =>
      ((role.inputs['managedPolicyArns'] ?? []) as string[]).map((arn) => `${role.name} has ${arn}`),
    ),

  'only a service assumes a role': (resources) =>
    of(resources, 'aws:iam/role:Role')
      .filter((role) => /:root|"AWS"|"\*"/.test(JSON.stringify(role.inputs['assumeRolePolicy']).replaceAll('\\', '')))
      .map((role) => `${role.name} can be assumed by an account`),

  'every bucket blocks public access': (resources) => {
    const flags = ['blockPublicAcls', 'blockPublicPolicy', 'ignorePublicAcls', 'restrictPublicBuckets']
    const blocks = of(resources, 'aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock')
    const open = blocks
      .filter((block) => !flags.every((flag) => block.inputs[flag] === true))
      .map((block) => `${block.name} is open`)
    return of(resources, 'aws:s3/bucket:Bucket').length === blocks.length
      ? open
      : [...open, 'a bucket has no public access block']
  },

  'a bucket answers over TLS only, and allows nothing to everyone': (resources) =>
    of(resources, 'aws:s3/bucketPolicy:BucketPolicy').flatMap((policy) => {
      const statements = JSON.parse(String(policy.inputs['policy'])) as Statement[]
      const denies = statements.some((each) => each.effect === 'Deny' && JSON.stringify(each).includes('aws:SecureTransport'))
      const allows = statements.some(
        (each) => each.effect !== 'Deny' && each.principals?.some((one) => one.identifiers.includes('*')),
      )
      return [...(denies ? [] : [`${policy.name} allows plain HTTP`]), ...(allows ? [`${policy.name} allows everyone`] : [])]
    }),

  'the table can be restored to any second': (resources) =>
    of(resources, 'aws:dynamodb/table:Table')
      .filter((table) => !(table.inputs['pointInTimeRecovery'] as { enabled?: boolean } | undefined)?.enabled)
      .map((table) => `${table.name} has no point-in-time recovery`),

  'nothing reads an index': (resources) =>
    of(resources, 'aws:dynamodb/table:Table')
      .filter((table) => ((table.inputs['globalSecondaryIndexes'] ?? []) as unknown[]).length > 0)
      .map((table) => `${table.name} has a global index: its reads are eventually consistent`),

  'a consumed queue has a dead-letter queue and waits for its function': (resources) =>
    of(resources, 'aws:lambda/eventSourceMapping:EventSourceMapping').flatMap((mapping) => {
      const queue = of(resources, 'aws:sqs/queue:Queue').find((each) =>
        String(mapping.inputs['eventSourceArn']).endsWith(`:${each.name}`),
      )
      const consumer = functions(resources).find((each) => String(mapping.inputs['functionName']).endsWith(`:${each.name}`))
      if (queue === undefined || consumer === undefined) return [`${mapping.name} joins nothing that is known`]
      return [
        ...(queue.inputs['redrivePolicy'] ? [] : [`${queue.name} has no dead-letter queue`]),
        ...(Number(queue.inputs['visibilityTimeoutSeconds']) > Number(consumer.inputs['timeout'])
          ? []
          : [`${queue.name} shows a job again while ${consumer.name} works on it`]),
      ]
    }),

  'functions run on arm64 with Node 24': (resources) =>
    functions(resources)
      .filter((each) => each.inputs['runtime'] !== 'nodejs24.x' || String(each.inputs['architectures']) !== 'arm64')
      .map((each) => `${each.name} runs on ${String(each.inputs['runtime'])} ${String(each.inputs['architectures'])}`),
}

export function of(resources: readonly Resource[], type: string): readonly Resource[] {
  return resources.filter((each) => each.type === type)
}

export function functions(resources: readonly Resource[]): readonly Resource[] {
  return of(resources, 'aws:lambda/function:Function')
}

/** What a role may do, one line for each action and resource, resources by the name that the stack gives them. */
export function grantsOf(resources: readonly Resource[], role: string): readonly Grant[] {
  return everyGrant(resources).filter((each) => each.role === role)
}

function everyGrant(resources: readonly Resource[]): readonly (Grant & { readonly role: string })[] {
  return of(resources, 'aws:iam/role:Role').flatMap((role) => {
    const inline = (role.inputs['inlinePolicies'] ?? []) as readonly { readonly policy: string }[]
    return inline.flatMap(({ policy }) =>
      (JSON.parse(policy) as Statement[]).flatMap(({ actions, resources: on }) =>
        actions.flatMap((action) =>
          (on ?? ['*']).map((resource) => ({
            role: role.name,
            action,
            resource: resource.split(':').slice(5).join(':') || resource,
            arn: resource,
          })),
        ),
      ),
    )
  })
}

/**
 * One resource of the stack, or all objects below one prefix, or all streams of one log group. Outside of it: one secret, what is in one
 * catalog, all objects of a bucket that is not ours.
 */
function isExact({ action, resource, arn }: Grant): boolean {
  const outside = outsidePatterns[action.split(':')[0] ?? '']
  if (outside !== undefined) return outside.test(arn)
  const isOther = /^arn:aws:s3:::[a-z0-9][a-z0-9.-]+(\/[^*]+)?\/\*$/.test(arn)
  return isOther || /^[A-Za-z]+(\/[a-z]+\/\*|:log-stream:\*)?$/.test(resource)
}

const outsidePatterns: Readonly<Record<string, RegExp>> = {
  secretsmanager: /^arn:aws:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+-[A-Za-z0-9]{6}$/,
  glue: /^arn:aws:glue:[a-z0-9-]+:[0-9]{12}:(catalog|database\/\*|table\/\*\/\*)$/,
  s3tables: /^arn:aws:s3tables:[a-z0-9-]+:[0-9]{12}:bucket\/[a-z0-9-]+(\/table\/\*)?$/,
}

/** Of the product, and what SST says of an app without links: its name and stage, and the name of a file. */
const named = /^(SLUICE_(OBJECTS|ITEMS|QUEUE|CATALOGS)|SST_RESOURCE_App|SST_KEY_FILE)$/

function variablesOf({ inputs }: Resource): Readonly<Record<string, string>> {
  return (inputs['environment'] as { readonly variables?: Record<string, string> } | undefined)?.variables ?? {}
}
