/**
 * What must outlive every function: the bucket with log and lake objects, and the table with all metadata.
 * The table is the one place where commits happen, so it has point-in-time recovery; it has no index, because an
 * eventually consistent read must decide nothing. Tests create their DynamoDB table from this definition.
 */
const production = $app.stage === 'production'

export const bucket = new sst.aws.Bucket('Objects', {
  cors: false,
  enforceHttps: true,
  transform: { bucket: { forceDestroy: !production } },
})

export const table = new sst.aws.Dynamo('Items', {
  fields: { pk: 'string', sk: 'string' },
  primaryIndex: { hashKey: 'pk', rangeKey: 'sk' },
  deletionProtection: production,
  transform: { table: { pointInTimeRecovery: { enabled: true } } },
})
