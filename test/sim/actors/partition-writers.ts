/** Who writes into the partitions of a table, by names that rows make, and who drops them. */
import { getTable } from '../../../core/catalog/tables.ts'
import { present } from '../../../core/kernel/assert.ts'
import { utf8 } from '../../../core/kernel/bytes.ts'
import { dropPartition } from '../../../core/log/drop.ts'
import { producerOf } from '../../../core/log/producer.ts'
import { routeRows } from '../../../core/log/route.ts'
import type { Table } from '../../../core/model/table.ts'
import { batchOf } from '../rows.ts'
import { databaseName, type Stage, tableName } from '../stage.ts'
import { codeOf, tableCache } from './ingest.ts'

const requestTimeoutMs = 30_000

export interface Acked {
  readonly name: string
  readonly bucket: number
  readonly base: bigint
  readonly values: readonly bigint[]
}

export interface Partitioned {
  readonly stage: Stage
  readonly acked: Acked[]
  /** `<name>#<bucket>` → offset → value: over all partitions of a name. */
  readonly values: Map<string, Map<bigint, bigint>>
  /** What an actor has asked to drop. */
  readonly byHand: Set<string>
  readonly pickName: () => string
}

/** Requests one after another, each repeated, unchanged, until its outcome is definite. */
export async function produce(shared: Partitioned, producerId: string): Promise<void> {
  const { stage } = shared
  const { random, swarm, cluster } = stage
  for (let sequence = 0; sequence < 2 * swarm.requestsEach; sequence++) {
    const request = stage.nextRequest()
    const count = random.between(1, swarm.rowsMax)
    const name = shared.pickName()
    const values = Array.from({ length: count }, (_, i) => BigInt(request) * 16n + BigInt(i))
    for (let pauseMsMax = 1_000; ; pauseMsMax = Math.min(600_000, 1.3 * pauseMsMax)) {
      if (await append(shared, { producerId, sequence, name, values })) break
      await cluster.sleep(random.magnitude(10, pauseMsMax))
    }
    if (swarm.thinkMs > 0) await cluster.sleep(random.between(0, 2 * swarm.thinkMs))
    if (swarm.scenario === 'periods') await cluster.sleep(random.magnitude(1_000, 3_600_000))
  }
}

interface Sent {
  readonly producerId: string
  readonly sequence: number
  readonly name: string
  readonly values: readonly bigint[]
}

async function append({ stage, acked }: Partitioned, { producerId, sequence, name, values }: Sent): Promise<boolean> {
  const outcome = await stage.cluster.invoke({
    role: 'ingest',
    name: `append ${producerId} ${sequence} to ${name}`,
    timeoutMs: requestTimeoutMs,
    repeatable: true,
    run: async (environment) => {
      const table = await tableCache(stage, environment).get(databaseName, tableName)
      const routing = { producer: { producerId, sequence: BigInt(sequence) } }
      const batch = withPartition(table, values, name.slice(2))
      const parts = routeRows(table, [batch], { ...routing, rotate: () => 0 })
      const body = utf8(`${name} ${values.join(',')}`)
      const producer = producerOf({
        principal: 'local',
        producerId,
        epoch: 0n,
        sequence: BigInt(sequence),
        body,
        gapDetection: false,
      })
      const appended = await environment.log.append(table, { parts, producer })
      for (const { partition, bucket, outcome: done } of appended)
        if (done.done) acked.push({ name: partition, bucket, base: done.base, values })
      return appended
    },
  })
  if (outcome.is !== 'answer') {
    if (outcome.is === 'error' && codeOf(outcome.error) === 'unexpected')
      stage.history.break('harness', 'error', `append: ${String(outcome.error)}`)
    return outcome.is === 'error' && codeOf(outcome.error) === 'invalid-name'
  }
  return outcome.value.every(({ outcome: done }) => done.done || final.has(done.error.code))
}

/** A late repeat of a newer request has made this one pointless. */
const final: ReadonlySet<string> = new Set(['sequence-old', 'sequence-reused'])

function withPartition(table: Table, values: readonly bigint[], text: string) {
  const batch = batchOf(table.schema, values)
  const bytes = utf8(text)
  const offsets = Int32Array.from({ length: values.length + 1 }, (_, i) => i * bytes.length)
  const repeated = new Uint8Array(bytes.length * values.length)
  for (let i = 0; i < values.length; i++) repeated.set(bytes, i * bytes.length)
  const p = { ...plainText, length: values.length, offsets, values: repeated }
  // The others come in the order of their fields.
  const others = [...batch.columns]
  return { ...batch, columns: batch.fields.map(({ name }) => (name === 'p' ? p : present(others.shift(), 'a column'))) }
}

const plainText = { type: { kind: 'string' }, nullCount: 0, validity: undefined, children: [] } as const

export async function dropSome({ stage, byHand, pickName }: Partitioned): Promise<void> {
  const { random, swarm, cluster } = stage
  for (let i = random.between(2, 8); i > 0; i--) {
    await cluster.sleep(random.magnitude(20, Math.max(2_000, swarm.thinkMs * swarm.requestsEach)))
    const name = pickName()
    byHand.add(name)
    const lakeRows = random.chance(0.4) ? 'stay' : 'go'
    for (;;) {
      const outcome = await cluster.invoke({
        role: 'admin',
        name: `drop ${name}`,
        timeoutMs: requestTimeoutMs,
        repeatable: true,
        run: async ({ world }) => dropPartition(world, await getTable(world, databaseName, tableName), name, lakeRows),
      })
      if (outcome.is === 'answer' && outcome.value === 'gone') break
      if (outcome.is === 'error' && codeOf(outcome.error) === 'not-found') break
      await cluster.sleep(random.between(10, 2_000))
    }
  }
}
