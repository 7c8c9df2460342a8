/**
 * ItemStore on DynamoDB or a compatible server: one table, partition key `pk`, sort key `sk`, both text. Reads are
 * consistent unless the caller accepts an older state. The SDK's retries are off (decorators/retry.ts is the one retry)
 * and every request has a time-out: after it the outcome of a write is unknown. One write is one item, whole or not at all.
 */

import { randomUUID } from 'node:crypto'
import {
  type AttributeValue,
  type CancellationReason,
  DeleteItemCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  type QueryCommandOutput,
  type TransactWriteItem,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import { SluiceError } from '../../core/kernel/errors.ts'
import type {
  Condition,
  Consistency,
  Item,
  ItemKey,
  ItemQuery,
  ItemStore,
  TransactAction,
  TransactResult,
  Update,
  UpdateResult,
} from '../../core/ports/items.ts'
import { awsError, connectionMsMax } from '../aws-error.ts'
import { compareText } from './evaluate.ts'
import { Expressions } from './expressions.ts'
import { type Marshalled, marshalItem, marshalKey, unmarshalItem } from './marshal.ts'
import { keyNames } from './size.ts'
import { checkCondition, checkItem, checkKey, checkQuery, checkTransact, checkUpdate, queryLimitMax } from './validate.ts'

const socketsMax = 128
const old = { ReturnValuesOnConditionCheckFailure: 'ALL_OLD' } as const

export interface DynamoOptions {
  readonly endpoint?: string
  readonly region?: string
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string }
  readonly requestMsMax?: number
}

export function openDynamo(table: string, options: DynamoOptions = {}): DynamoItems {
  const client = new DynamoDBClient({
    maxAttempts: 1,
    requestHandler: {
      connectionTimeout: connectionMsMax,
      httpAgent: { maxSockets: socketsMax },
      httpsAgent: { maxSockets: socketsMax },
    },
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    ...(options.region === undefined ? {} : { region: options.region }),
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
  })
  return new DynamoItems(client, table, options.requestMsMax ?? 5_000)
}

export class DynamoItems implements ItemStore {
  readonly #client: DynamoDBClient
  readonly #table: { readonly TableName: string }
  readonly #requestMsMax: number
  /** A transaction that is repeated unchanged, as the same array, keeps its token until its outcome is definite. */
  readonly #tokens = new WeakMap<readonly TransactAction[], string>()

  constructor(client: DynamoDBClient, table: string, requestMsMax: number) {
    this.#client = client
    this.#table = { TableName: table }
    this.#requestMsMax = requestMsMax
  }

  async get(key: ItemKey, consistency?: Consistency): Promise<Item | undefined> {
    checkKey(key)
    const input = { ...this.#table, Key: marshalKey(key), ConsistentRead: consistency !== 'eventual' }
    try {
      const { Item } = await this.#client.send(new GetItemCommand(input), this.#limits())
      return Item === undefined ? undefined : unmarshalItem(Item)
    } catch (error) {
      throw awsError(error, `item ${nameOf(key)} cannot be read`, 'read')
    }
  }

  async query(query: ItemQuery): Promise<readonly Item[]> {
    checkQuery(query)
    if (query.from !== undefined && query.to !== undefined && compareText(query.from, query.to) >= 0) return []
    const items: Item[] = []
    let start: Marshalled | undefined
    do {
      const page = await this.#page(query, query.limit - items.length, start)
      for (const marshalled of page.Items ?? []) {
        const item = unmarshalItem(marshalled)
        // A key condition has no half-open range.
        if (item.key.sort !== query.to) items.push(item)
      }
      start = page.LastEvaluatedKey
    } while (start !== undefined && items.length < query.limit)
    return items.slice(0, query.limit)
  }

  async create(item: Item): Promise<UpdateResult> {
    checkItem(item)
    const expressions = new Expressions()
    const absent = `attribute_not_exists(${expressions.name(keyNames.partition)})`
    const put = { ...this.#table, ...old, Item: marshalItem(item), ConditionExpression: absent, ...expressions.placeholders() }
    try {
      await this.#client.send(new PutItemCommand(put), this.#limits()) // COMMIT POINT
      return { done: true, item }
    } catch (error) {
      return { done: false, item: this.#refused(error, `item ${nameOf(item.key)} cannot be created`) }
    }
  }

  async update(update: Update): Promise<UpdateResult> {
    checkUpdate(update)
    const input = { ...this.#table, ...old, ...updateInput(update), ReturnValues: 'ALL_NEW' } as const
    try {
      const { Attributes } = await this.#client.send(new UpdateItemCommand(input), this.#limits()) // COMMIT POINT
      return { done: true, item: unmarshalItem({ ...Attributes, ...marshalKey(update.key) }) }
    } catch (error) {
      return { done: false, item: this.#refused(error, `item ${nameOf(update.key)} cannot be updated`) }
    }
  }

  async delete(key: ItemKey, condition?: Condition): Promise<{ readonly done: boolean; readonly item: Item | undefined }> {
    checkKey(key)
    if (condition !== undefined) checkCondition(condition)
    const input = { ...this.#table, ...old, ...deleteInput(key, condition), ReturnValues: 'ALL_OLD' } as const
    try {
      const { Attributes } = await this.#client.send(new DeleteItemCommand(input), this.#limits()) // COMMIT POINT
      return { done: true, item: Attributes === undefined ? undefined : unmarshalItem(Attributes) }
    } catch (error) {
      return { done: false, item: this.#refused(error, `item ${nameOf(key)} cannot be deleted`) }
    }
  }

  async transact(actions: readonly TransactAction[]): Promise<TransactResult> {
    checkTransact(actions)
    const token = this.#tokens.get(actions) ?? randomUUID()
    this.#tokens.set(actions, token)
    const input = { ClientRequestToken: token, TransactItems: actions.map((action) => this.#action(action)) }
    try {
      await this.#client.send(new TransactWriteItemsCommand(input), this.#limits()) // COMMIT POINT
      this.#tokens.delete(actions)
      return { done: true }
    } catch (error) {
      const failed = cancelled(error)
      if (failed === undefined) throw awsError(error, 'a transaction failed', 'write')
      this.#tokens.delete(actions)
      return { done: false, failed }
    }
  }

  close(): void {
    this.#client.destroy()
  }

  /** One item more than is wanted, for `to` itself is among them. */
  async #page(query: ItemQuery, wanted: number, start: Marshalled | undefined): Promise<QueryCommandOutput> {
    const expressions = new Expressions()
    const condition = keyCondition(query, expressions)
    const input = {
      ...this.#table,
      ...expressions.placeholders(),
      KeyConditionExpression: condition,
      ConsistentRead: query.consistency !== 'eventual',
      ScanIndexForward: query.reverse !== true,
      Limit: query.to === undefined ? wanted : Math.min(wanted + 1, queryLimitMax),
      ...(start === undefined ? {} : { ExclusiveStartKey: start }),
    }
    try {
      return await this.#client.send(new QueryCommand(input), this.#limits())
    } catch (error) {
      throw awsError(error, `partition ${query.partition} cannot be queried`, 'read')
    }
  }

  #action(action: TransactAction): TransactWriteItem {
    if ('update' in action) return { Update: { ...this.#table, ...updateInput(action.update) } }
    if ('delete' in action) return { Delete: { ...this.#table, ...deleteInput(action.delete, action.condition) } }
    const expressions = new Expressions()
    if ('check' in action) {
      const ConditionExpression = expressions.condition(action.condition)
      return {
        ConditionCheck: { ...this.#table, Key: marshalKey(action.check), ConditionExpression, ...expressions.placeholders() },
      }
    }
    const ConditionExpression = `attribute_not_exists(${expressions.name(keyNames.partition)})`
    return { Put: { ...this.#table, Item: marshalItem(action.create), ConditionExpression, ...expressions.placeholders() } }
  }

  /** The item as it was when the condition failed; every other error is thrown. */
  #refused(error: unknown, what: string): Item | undefined {
    if (!(error instanceof Error) || error.name !== 'ConditionalCheckFailedException') throw writeError(error, what)
    const item = 'Item' in error ? (error.Item as Marshalled | undefined) : undefined
    return item === undefined ? undefined : unmarshalItem(item)
  }

  #limits(): { abortSignal: AbortSignal } {
    return { abortSignal: AbortSignal.timeout(this.#requestMsMax) }
  }
}

interface Placeholders {
  readonly ExpressionAttributeNames: Record<string, string>
  readonly ExpressionAttributeValues?: Record<string, AttributeValue>
}

function updateInput(update: Update): Placeholders & { Key: Marshalled; UpdateExpression: string; ConditionExpression: string } {
  const expressions = new Expressions()
  const UpdateExpression = expressions.update(update)
  const ConditionExpression = expressions.existing(update.condition)
  return { Key: marshalKey(update.key), UpdateExpression, ConditionExpression, ...expressions.placeholders() }
}

function deleteInput(
  key: ItemKey,
  condition: Condition | undefined,
): Partial<Placeholders> & { Key: Marshalled; ConditionExpression?: string } {
  if (condition === undefined) return { Key: marshalKey(key) }
  const expressions = new Expressions()
  const ConditionExpression = expressions.condition(condition)
  return { Key: marshalKey(key), ConditionExpression, ...expressions.placeholders() }
}

function keyCondition({ partition, from = '', to }: ItemQuery, expressions: Expressions): string {
  const of = `${expressions.name(keyNames.partition)} = ${expressions.value(partition)}`
  if (from === '' && to === undefined) return of
  const sort = `${of} AND ${expressions.name(keyNames.sort)}`
  if (to === undefined) return `${sort} >= ${expressions.value(from)}`
  if (from === '') return `${sort} < ${expressions.value(to)}`
  return `${sort} BETWEEN ${expressions.value(from)} AND ${expressions.value(to)}`
}

/** The first action whose condition failed; undefined: it was cancelled for another reason, or is no cancellation. */
function cancelled(error: unknown): number | undefined {
  const codes = reasonsOf(error).map(({ Code }) => Code)
  const failed = codes.indexOf('ConditionalCheckFailed')
  if (failed >= 0) return failed
  const refusal = codes.find((code) => code !== undefined && code !== 'None')
  if (refusal === undefined) return undefined
  const facts = { reason: refusal }
  if (/Throttling|ThroughputExceeded/.test(refusal))
    throw new SluiceError('throttled', 'a transaction is throttled', { effect: 'none', facts, cause: error })
  if (refusal === 'ValidationError') throw invalid(error, 'a transaction', messagesOf(error))
  throw new SluiceError('unavailable', `a transaction met another one (${refusal})`, { effect: 'none', facts, cause: error })
}

function reasonsOf(error: unknown): readonly CancellationReason[] {
  if (!(error instanceof Error) || error.name !== 'TransactionCanceledException' || !('CancellationReasons' in error)) return []
  return (error.CancellationReasons as readonly CancellationReason[] | undefined) ?? []
}

const messagesOf = (error: unknown): string =>
  reasonsOf(error)
    .flatMap(({ Message }) => Message ?? [])
    .join('; ')

function writeError(error: unknown, what: string): SluiceError {
  return error instanceof Error && error.name === 'ValidationException'
    ? invalid(error, what, error.message)
    : awsError(error, what, 'write')
}

function invalid(cause: unknown, what: string, message: string): SluiceError {
  const code = /item size|size.*exceeded/i.test(message) ? 'too-large' : 'internal'
  return new SluiceError(code, `${what}: ${message}`, { effect: 'none', cause })
}

const nameOf = (key: ItemKey): string => `${key.partition} / ${key.sort}`
