import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { beforeAll, describe, expect, test } from 'vitest'
import { itemStoreCases } from '../../core/ports/items.case.ts'
import { openDynamo } from '../../stores/items/dynamodb.ts'
import { credentials, required } from './server.ts'
import { createTable } from './table.ts'

const table = 'sluice-wire'
const options = { endpoint: required('WIRE_DYNAMODB_ENDPOINT'), region: 'us-east-1', credentials } as const
const item = { key: { partition: 'wire', sort: 'late' }, attributes: { v: 1n } }

beforeAll(() => createTable(options.endpoint, table))

itemStoreCases('DynamoDB over the wire', async () => {
  const items = openDynamo(table, options)
  return { items, close: async () => items.close() }
})

describe('DynamoDB over the wire', () => {
  test('a server that does not listen is known to have done nothing', async () => {
    const items = openDynamo(table, { ...options, endpoint: 'http://127.0.0.1:9' })
    await expect(items.create(item)).rejects.toMatchObject({ code: 'unavailable', effect: 'none', action: 'retry' })
  })

  test('a time-out of a write leaves its outcome unknown', async () => {
    const sockets = new Set<Socket>()
    const silent = createServer((socket) => sockets.add(socket)).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as AddressInfo
    const items = openDynamo(table, { ...options, endpoint: `http://127.0.0.1:${port}`, requestMsMax: 50 })
    await expect(items.create(item)).rejects.toMatchObject({ code: 'unavailable', effect: 'unknown', action: 'retry' })
    await expect(items.get(item.key)).rejects.toMatchObject({ code: 'unavailable', effect: 'none' })
    items.close()
    for (const socket of sockets) socket.destroy()
    silent.close()
  })

  test('an absent table stops, with a reason', async () => {
    const items = openDynamo('no-such-table', options)
    await expect(items.create(item)).rejects.toMatchObject({ code: 'unavailable', effect: 'none', action: 'stop' })
  })

  test('a transaction that is repeated unchanged after a lost answer is done once', async () => {
    const key = { partition: 'wire', sort: 'token' }
    const items = openDynamo(table, options)
    await items.create({ key, attributes: { v: 0n } })
    const actions = [{ update: { key, set: { v: { plus: 'v', by: 1n } } } }]
    expect(await items.transact(actions)).toEqual({ done: true })
    expect(await items.transact([...actions])).toEqual({ done: true })
    expect((await items.get(key))?.attributes.v).toBe(2n)
    items.close()
  })
})
