/**
 * Producers: each sends its requests one after another and repeats one, unchanged, until its outcome is definite. Old
 * requests arrive again late; a newer epoch takes over while the older goes on. Producers without an id repeat only
 * what they know, or choose to risk, to be absent.
 */
import type { AttemptRecord, RequestRecord } from '../history.ts'
import { valuesOf } from '../rows.ts'
import { newRequest, type Stage } from '../stage.ts'
import { codeOf, ingest } from './ingest.ts'

const requestTimeoutMs = 30_000
/** An outcome after which the same request is pointless. */
const final: readonly string[] = [
  'sequence-old',
  'sequence-gap',
  'sequence-reused',
  'stale-epoch',
  'bad-request',
  'invalid-rows',
  'too-large',
]

export async function produceWithId(stage: Stage, name: string): Promise<void> {
  const { random, swarm } = stage
  const sent: RequestRecord[] = []
  let epoch = BigInt(random.pick([0, 1, 2 ** 31 - 1, 2 ** 32, 2 ** 53 - 1]))
  let sequence = BigInt(random.pick([0, 0, 0, 2 ** 31 - 2, 2 ** 32 - 1, 2 ** 53 - 2]))
  for (let i = 0; i < swarm.requestsEach; i++) {
    if (random.chance(0.08)) {
      const zombie = { epoch, sequence: sequence + 1n }
      void oldEpoch(stage, name, zombie.epoch, zombie.sequence)
      epoch += 1n
      sequence = 0n
    }
    const request = requestOf(stage, { name, epoch, sequence })
    sent.push(request)
    if (random.chance(0.15)) void again(stage, random.pick(sent), random.magnitude(1, 3_600_000))
    await untilDefinite(stage, request)
    if (random.chance(0.1)) await again(stage, random.pick(sent), 0)
    sequence += random.chance(0.1) ? 2n : 1n
    await think(stage)
  }
}

export async function produceWithoutId(stage: Stage): Promise<void> {
  for (let i = 0; i < stage.swarm.requestsEach; i++) {
    await untilDefinite(stage, requestOf(stage, undefined))
    await think(stage)
  }
}

/** The producer that was replaced goes on for a while. */
async function oldEpoch(stage: Stage, name: string, epoch: bigint, from: bigint): Promise<void> {
  for (let i = 0n; i < 2n; i++) {
    await think(stage)
    await attempt(stage, requestOf(stage, { name, epoch, sequence: from + i }))
  }
}

/** A proxy or the network delivers an old request once more. */
async function again(stage: Stage, request: RequestRecord, ms: number): Promise<void> {
  await stage.cluster.sleep(ms)
  await attempt(stage, request)
}

function requestOf(stage: Stage, producer: RequestRecord['producer']): RequestRecord {
  const id = stage.nextRequest()
  return newRequest(stage, producer, valuesOf(id, stage.random.between(1, stage.swarm.rowsMax)), id)
}

async function untilDefinite(stage: Stage, request: RequestRecord): Promise<void> {
  for (let pauseMsMax = 1_000; ; pauseMsMax = Math.min(600_000, 1.3 * pauseMsMax)) {
    const outcome = await attempt(stage, request)
    if (outcome === 'definite') return
    if (outcome === 'unknown' && request.producer === undefined && stage.random.chance(0.5)) return
    await stage.cluster.sleep(stage.random.magnitude(10, pauseMsMax))
  }
}

async function attempt(stage: Stage, request: RequestRecord): Promise<'definite' | 'none' | 'unknown'> {
  const outcome = await stage.cluster.invoke({
    role: 'ingest',
    name: nameOf(request),
    timeoutMs: requestTimeoutMs,
    repeatable: request.producer !== undefined,
    run: (environment) => ingest(stage, environment, request),
  })
  if (outcome.is === 'lost') return 'unknown'
  if (outcome.is === 'error') {
    const code = codeOf(outcome.error)
    if (code === 'unexpected' || code === 'internal')
      stage.history.break('harness', 'error', `append r${request.id}: ${String(outcome.error)}`)
    return 'none'
  }
  return verdict(outcome.value)
}

function nameOf({ id, producer }: RequestRecord): string {
  return producer === undefined
    ? `append r${id}`
    : `append r${id} of ${producer.name} epoch ${producer.epoch} sequence ${producer.sequence}`
}

function verdict({ answer }: AttemptRecord): 'definite' | 'none' | 'unknown' {
  const answers = answer ?? []
  if (answers.some((part) => !part.done && part.effect !== 'none')) return 'unknown'
  return answers.every((part) => part.done || final.includes(part.code)) ? 'definite' : 'none'
}

async function think(stage: Stage): Promise<void> {
  const { thinkMs } = stage.swarm
  if (thinkMs > 0) await stage.cluster.sleep(stage.random.between(0, 2 * thinkMs))
}
