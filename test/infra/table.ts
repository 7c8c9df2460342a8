/**
 * The DynamoDB table of the stack as the input of CreateTable, without a name. `test/infra/table-definition.json` holds
 * it, so that the wire tests create the very table that is deployed without having SST; the suite refuses a stale file.
 *
 *   node test/infra/evaluate.ts . | node test/infra/table.ts > test/infra/table-definition.json
 */
import { readFileSync } from 'node:fs'
import type { Resource } from './evaluate.ts'

export interface TableDefinition {
  readonly BillingMode: string
  readonly AttributeDefinitions: readonly { readonly AttributeName: string; readonly AttributeType: string }[]
  readonly KeySchema: readonly { readonly AttributeName: string; readonly KeyType: 'HASH' | 'RANGE' }[]
}

export function tableDefinition(resources: readonly Resource[]): TableDefinition {
  const tables = resources.filter((each) => each.type === 'aws:dynamodb/table:Table')
  const [table] = tables
  if (table === undefined || tables.length !== 1) throw new Error(`the stack has ${tables.length} tables: expected one`)
  const { attributes, billingMode, hashKey, rangeKey } = table.inputs
  return {
    BillingMode: String(billingMode),
    AttributeDefinitions: (attributes as { name: string; type: string }[]).map(({ name, type }) => ({
      AttributeName: name,
      AttributeType: type,
    })),
    KeySchema: [
      { AttributeName: String(hashKey), KeyType: 'HASH' },
      { AttributeName: String(rangeKey), KeyType: 'RANGE' },
    ],
  }
}

if (process.argv[1] === import.meta.filename) {
  const resources = JSON.parse(readFileSync(0, 'utf8')) as readonly Resource[]
  process.stdout.write(`${JSON.stringify(tableDefinition(resources), null, 2)}\n`)
}
