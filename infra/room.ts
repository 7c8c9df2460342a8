/**
 * One function of the product: arm64, Node 24, a log group of its own, and a role with the given statements only.
 * Two of SST's defaults are taken back: AWSLambdaBasicExecutionRole writes to every log group of the account, and the
 * role could be assumed by anyone in the account who may assume roles, not by Lambda alone.
 */
import { jobs } from './jobs.ts'
import { bucket, table } from './storage.ts'

export interface Room {
  readonly handler: string
  readonly memory: `${number} MB`
  readonly timeout: `${number} ${'seconds' | 'minutes'}`
  /** Reachable by signed requests at a URL of its own. */
  readonly url?: boolean
  readonly permissions: readonly { readonly actions: string[]; readonly resources: $util.Input<string>[] }[]
  /** Beside the names of the stores. No secret: whoever may look at a function reads it. */
  readonly environment?: Readonly<Record<string, string>>
  /** npm packages that cannot be bundled, by exact version. */
  readonly install?: Record<string, string>
}

export function room(name: string, args: Room) {
  const log = new aws.cloudwatch.LogGroup(`${name}Log`, {
    name: `/sluice/${$app.stage}/${name.toLowerCase()}`,
    retentionInDays: 30,
  })
  return new sst.aws.Function(name, {
    handler: args.handler,
    runtime: 'nodejs24.x',
    architecture: 'arm64',
    memory: args.memory,
    timeout: args.timeout,
    ...(args.url ? { url: { authorization: 'iam' as const, cors: false } } : {}),
    ...(args.install ? { nodejs: { install: args.install } } : {}),
    environment: {
      SLUICE_OBJECTS: $interpolate`s3://${bucket.name}`,
      SLUICE_ITEMS: $interpolate`dynamodb://${table.name}`,
      SLUICE_QUEUE: jobs.url,
      ...args.environment,
    },
    logging: { logGroup: log.name, format: 'json' },
    permissions: [
      ...args.permissions.map((each) => ({ actions: each.actions, resources: [...each.resources] })),
      { actions: ['logs:CreateLogStream', 'logs:PutLogEvents'], resources: [$interpolate`${log.arn}:log-stream:*`] },
    ],
    transform: {
      role: (role) => {
        role.managedPolicyArns = []
        role.assumeRolePolicy = aws.iam.assumeRolePolicyForPrincipal({ Service: 'lambda.amazonaws.com' })
      },
    },
  })
}
