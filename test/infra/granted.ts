/**
 * What each role may do: role → resource → actions, complete. stack.test.ts holds the evaluated stack to it, and
 * test/house/grants.test.ts shows that the functions need all of it and nothing else.
 */
const readItems = ['dynamodb:GetItem', 'dynamodb:Query']
const addItems = ['dynamodb:ConditionCheckItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem']
const consume = ['sqs:ChangeMessageVisibility', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ReceiveMessage']
const write = ['logs:CreateLogStream', 'logs:PutLogEvents']

export const granted: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  Ingest: {
    'ObjectsBucket/t/*': ['s3:GetObject', 's3:PutObject'],
    ObjectsBucket: ['s3:ListBucket'],
    ItemsTable: [...addItems, ...readItems],
    JobsQueue: ['sqs:SendMessage'],
    'IngestLog:log-stream:*': write,
  },
  Read: {
    'ObjectsBucket/t/*': ['s3:GetObject'],
    'ObjectsBucket/lake/*': ['s3:GetObject'],
    ObjectsBucket: ['s3:ListBucket'],
    ItemsTable: readItems,
    'ReadLog:log-stream:*': write,
  },
  Admin: {
    'ObjectsBucket/lake/*': ['s3:GetObject'],
    ObjectsBucket: ['s3:ListBucket'],
    ItemsTable: [...addItems, ...readItems, 'dynamodb:DeleteItem'],
    JobsQueue: ['sqs:SendMessage'],
    'AdminLog:log-stream:*': write,
  },
  Catalog: {
    'ObjectsBucket/lake/*': ['s3:GetObject', 's3:PutObject'],
    ObjectsBucket: ['s3:ListBucket'],
    ItemsTable: [...readItems, 'dynamodb:PutItem', 'dynamodb:UpdateItem'],
    'CatalogLog:log-stream:*': write,
  },
  Tier: {
    'ObjectsBucket/t/*': ['s3:DeleteObject', 's3:GetObject', 's3:PutObject'],
    'ObjectsBucket/lake/*': ['s3:DeleteObject', 's3:GetObject', 's3:PutObject'],
    ObjectsBucket: ['s3:ListBucket'],
    ItemsTable: [...addItems, ...readItems, 'dynamodb:DeleteItem'],
    JobsQueue: consume,
    'TierLog:log-stream:*': write,
  },
  Sweep: {
    ItemsTable: ['dynamodb:Query'],
    JobsQueue: ['sqs:SendMessage'],
    'SweepLog:log-stream:*': write,
  },
  SweepEveryMinute: { SweepFunction: ['lambda:InvokeFunction'] },
}
