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
    'ObjectsBucket/lake/*': ['s3:GetObject', 's3:PutObject'],
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

/** What the stack of catalogs.json adds to them. */
const commitsToCatalogs = {
  'secret:sluice/lake-AbC123': ['secretsmanager:GetSecretValue'],
  'warehouse/sluice/*': ['s3:GetObject', 's3:PutObject'],
  'glue-warehouse/*': ['s3:GetObject', 's3:PutObject'],
  catalog: ['glue:GetCatalog', 'glue:GetTable', 'glue:UpdateTable'],
  'database/*': ['glue:GetTable', 'glue:UpdateTable'],
  'table/*/*': ['glue:GetTable', 'glue:UpdateTable'],
  'bucket/lakehouse': ['s3tables:GetTableBucket'],
  'bucket/lakehouse/table/*': [
    's3tables:GetTableData',
    's3tables:GetTableMetadataLocation',
    's3tables:PutTableData',
    's3tables:UpdateTableMetadataLocation',
  ],
}

export const grantedOfCatalogs: typeof granted = {
  ...granted,
  Admin: { ...granted['Admin'], ...commitsToCatalogs },
  Tier: {
    ...granted['Tier'],
    ...commitsToCatalogs,
    catalog: [...commitsToCatalogs.catalog, 'glue:CreateDatabase', 'glue:CreateTable'],
    'database/*': [...commitsToCatalogs['database/*'], 'glue:CreateDatabase', 'glue:CreateTable'],
    'table/*/*': [...commitsToCatalogs['table/*/*'], 'glue:CreateTable'],
    'bucket/lakehouse': [...commitsToCatalogs['bucket/lakehouse'], 's3tables:CreateNamespace', 's3tables:CreateTable'],
    'bucket/lakehouse/table/*': [...commitsToCatalogs['bucket/lakehouse/table/*'], 's3tables:CreateTable'],
  },
}
