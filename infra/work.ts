/**
 * The functions that work without a request. The queue starts tier, one job at a time and for as long as Lambda lets
 * it; what is left over keeps its mark. The schedule starts sweep, which reads marks that are due and nothing else. So
 * no function sends a message to the queue that starts it, and Lambda sees no loop.
 */
import { commits, creates, environment } from './catalogs.ts'
import { items, keys, objects, receiveJobs, sendJobs } from './grants.ts'
import { jobs } from './jobs.ts'
import { room } from './room.ts'

export const tier = room('Tier', {
  handler: 'functions/tier.handler',
  memory: '1769 MB',
  timeout: '15 minutes',
  install: { 'parquet-wasm': '0.8.0' },
  environment,
  permissions: [
    objects(['t', 'lake'], ['s3:GetObject', 's3:PutObject', 's3:DeleteObject']),
    keys(),
    items([
      'dynamodb:GetItem',
      'dynamodb:Query',
      'dynamodb:PutItem',
      'dynamodb:UpdateItem',
      'dynamodb:DeleteItem',
      'dynamodb:ConditionCheckItem',
    ]),
    receiveJobs(),
    ...commits,
    ...creates,
  ],
})

jobs.subscribe(tier.arn, { batch: { size: 1 } })

export const sweep = room('Sweep', {
  handler: 'functions/sweep.handler',
  memory: '256 MB',
  timeout: '50 seconds',
  permissions: [items(['dynamodb:Query']), sendJobs()],
})

new sst.aws.CronV2('SweepEveryMinute', { schedule: 'rate(1 minute)', function: sweep.arn, retries: 0 })
