/** Creates the table of the DynamoDB tests from a definition: that of the stack where one is passed, else our keys alone. */
import { readFile } from 'node:fs/promises'
import { env } from 'node:process'
import {
  type AttributeDefinition,
  CreateTableCommand,
  DynamoDBClient,
  type KeySchemaElement,
  ResourceInUseException,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb'
import { credentials } from './server.ts'

export interface TableDefinition {
  readonly AttributeDefinitions: AttributeDefinition[]
  readonly KeySchema: KeySchemaElement[]
}

const keysAlone: TableDefinition = {
  AttributeDefinitions: [
    { AttributeName: 'pk', AttributeType: 'S' },
    { AttributeName: 'sk', AttributeType: 'S' },
  ],
  KeySchema: [
    { AttributeName: 'pk', KeyType: 'HASH' },
    { AttributeName: 'sk', KeyType: 'RANGE' },
  ],
}

export async function createTable(endpoint: string, name: string): Promise<void> {
  const client = new DynamoDBClient({ endpoint, region: 'us-east-1', credentials })
  try {
    await client.send(new CreateTableCommand({ ...(await tableDefinition()), TableName: name, BillingMode: 'PAY_PER_REQUEST' }))
  } catch (error) {
    if (!(error instanceof ResourceInUseException)) throw error
  }
  await waitUntilTableExists({ client, maxWaitTime: 20, minDelay: 1, maxDelay: 1 }, { TableName: name })
  client.destroy()
}

/** WIRE_TABLE names a JSON file, as evaluated from the stack: CreateTable's AttributeDefinitions and KeySchema. */
async function tableDefinition(): Promise<TableDefinition> {
  const file = env.WIRE_TABLE
  if (file === undefined || file === '') return keysAlone
  const { AttributeDefinitions, KeySchema } = JSON.parse(await readFile(file, 'utf8')) as TableDefinition
  return { AttributeDefinitions, KeySchema }
}
