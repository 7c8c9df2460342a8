/**
 * Permissions as statements on exact resources. `link` is never used: it grants every action of S3 and DynamoDB.
 * test/infra holds the same list as a table of its own and refuses any difference.
 */
import { jobs } from './jobs.ts'
import { bucket, table } from './storage.ts'

type ObjectAction = 's3:GetObject' | 's3:PutObject' | 's3:DeleteObject'
type ItemAction =
  | 'dynamodb:GetItem'
  | 'dynamodb:Query'
  | 'dynamodb:PutItem'
  | 'dynamodb:UpdateItem'
  | 'dynamodb:DeleteItem'
  | 'dynamodb:ConditionCheckItem'

/** Log objects lie below `t/`, lake objects below `lake/`. */
export function objects(prefixes: readonly ('t' | 'lake')[], actions: readonly ObjectAction[]) {
  return { actions: [...actions], resources: prefixes.map((prefix) => $interpolate`${bucket.arn}/${prefix}/*`) }
}

/** Without it S3 answers 403 instead of 404 for a key that is gone, and a sweep could not list. */
export function keys() {
  return { actions: ['s3:ListBucket'], resources: [bucket.arn] }
}

export function items(actions: readonly ItemAction[]) {
  return { actions: [...actions], resources: [table.arn] }
}

export function sendJobs() {
  return { actions: ['sqs:SendMessage'], resources: [jobs.arn] }
}

export function receiveJobs() {
  return {
    actions: ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility', 'sqs:GetQueueAttributes'],
    resources: [jobs.arn],
  }
}
