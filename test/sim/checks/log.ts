/**
 * The history against the log at the end of a run, one table at a time: dense, agree, acked, aborted, once, atomic,
 * order with fencing, realtime. Each is one pass over the rows.
 */
import type { AttemptRecord, History, RequestRecord } from '../history.ts'
import type { BucketLog } from '../reader.ts'
import { requestOf } from '../rows.ts'

export function checkLog(history: History, tableId: string, logs: readonly BucketLog[]): void {
  const attempts = attemptsOn(history, tableId)
  for (const log of logs) {
    for (const problem of log.problems) history.break('G3', 'dense', `${tableId}#${log.bucket}: ${problem}`)
    const occurrences = findOccurrences(history, tableId, log, attempts)
    checkSeen(history, tableId, log)
    checkOnce(history, tableId, log, occurrences)
    checkOrder(history, tableId, log, occurrences)
    checkRealtime(history, tableId, log, occurrences)
  }
  checkOneBucket(history, tableId, logs)
  checkAnswers(history, tableId, logs, attempts)
}

type Attempts = ReadonlyMap<number, { readonly request: RequestRecord; readonly attempts: readonly AttemptRecord[] }>

/** The rows of one attempt, whole, in a bucket. */
interface Occurrence {
  readonly request: RequestRecord
  readonly attempts: readonly AttemptRecord[]
  readonly offset: bigint
}

function attemptsOn(history: History, tableId: string): Attempts {
  const found = new Map<number, { request: RequestRecord; attempts: readonly AttemptRecord[] }>()
  for (const request of history.requests.values()) {
    const attempts = request.attempts.filter((attempt) => attempt.tableId === tableId)
    if (attempts.length > 0) found.set(request.id, { request, attempts })
  }
  return found
}

/** atomic: the log is a sequence of whole parts of requests. */
function findOccurrences(history: History, tableId: string, log: BucketLog, attempts: Attempts): readonly Occurrence[] {
  const occurrences: Occurrence[] = []
  let at = 0
  while (at < log.values.length) {
    const value = log.values[at] as bigint
    const known = value < 0n ? undefined : attempts.get(requestOf(value))
    const part = known?.attempts
      .flatMap(({ parts }) => parts)
      .find(({ bucket, values }) => bucket === log.bucket && values[0] === value)
    const offset = log.start + BigInt(at)
    if (known === undefined || part === undefined) {
      history.break(
        'G4',
        'atomic',
        `offset ${offset} of ${tableId}#${log.bucket}: value ${value} begins no part of a request to this bucket`,
      )
      at++
      continue
    }
    const whole = part.values.every((expected, i) => log.values[at + i] === expected)
    if (!whole)
      history.break('G4', 'atomic', `offset ${offset} of ${tableId}#${log.bucket}: request r${known.request.id} is not whole`)
    occurrences.push({ ...known, offset })
    at += whole ? part.values.length : 1
  }
  return occurrences
}

/** agree: what any fetch saw is what the log holds; ends never went back. */
function checkSeen(history: History, tableId: string, log: BucketLog): void {
  const name = `${tableId}#${log.bucket}`
  for (const { name: seenName, values } of history.seen()) {
    if (seenName !== name) continue
    for (const [offset, value] of values) {
      const now = log.values[Number(offset - log.start)]
      if (now !== value) history.break('G5', 'agree', `offset ${offset} of ${name} was read as ${value} and is ${now ?? 'gone'}`)
    }
  }
  const end = history.endSeen(tableId, log.bucket)
  if (end > log.end) history.break('G5', 'monotonic', `the end of ${name} was ${end} and is ${log.end}`)
}

/** once: a request of a producer at most once; one without at most once an attempt, and not twice for one attempt. */
function checkOnce(history: History, tableId: string, log: BucketLog, occurrences: readonly Occurrence[]): void {
  const counts = new Map<number, number>()
  for (const { request } of occurrences) counts.set(request.id, (counts.get(request.id) ?? 0) + 1)
  for (const { request, attempts } of new Set(occurrences)) {
    const count = counts.get(request.id) ?? 0
    const possible = request.producer !== undefined ? 1 : attempts.length
    if (count > possible && (request.producer !== undefined || !history.lateEffects)) {
      counts.delete(request.id)
      history.break('G2', 'once', `request r${request.id} of ${nameOf(request)} is ${count} times in ${tableId}#${log.bucket}`)
    }
  }
}

/** once, over the table: a row of a producer is in one bucket. */
function checkOneBucket(history: History, tableId: string, logs: readonly BucketLog[]): void {
  const found = new Map<bigint, number>()
  for (const log of logs) {
    for (const value of log.values) {
      const before = found.get(value)
      found.set(value, log.bucket)
      if (before === undefined || before === log.bucket) continue
      const request = history.requests.get(requestOf(value))
      if (request?.producer === undefined) continue
      return history.break(
        'G2',
        'once',
        `a row of r${request.id} of ${nameOf(request)} is in buckets ${before} and ${log.bucket} of ${tableId}`,
      )
    }
  }
}

/** order and fence: per producer, epochs and in them sequences go up along the offsets. */
function checkOrder(history: History, tableId: string, log: BucketLog, occurrences: readonly Occurrence[]): void {
  const last = new Map<string, { readonly epoch: bigint; readonly sequence: bigint }>()
  for (const { request, offset } of occurrences) {
    const { producer } = request
    if (producer === undefined) continue
    const before = last.get(producer.name)
    const where = `offset ${offset} of ${tableId}#${log.bucket}: ${nameOf(request)}`
    if (before !== undefined && producer.epoch < before.epoch)
      history.break('G9', 'fence', `${where} follows epoch ${before.epoch}`)
    else if (before?.epoch === producer.epoch && producer.sequence < before.sequence) {
      history.break('G3', 'order', `${where} follows sequence ${before.sequence}`)
    }
    last.set(producer.name, producer)
  }
}

/** realtime: what was acked before another request began stands before it. */
function checkRealtime(history: History, tableId: string, log: BucketLog, occurrences: readonly Occurrence[]): void {
  let latestBegin = Number.NEGATIVE_INFINITY
  let latest: Occurrence | undefined
  for (const occurrence of occurrences) {
    const acked = firstAck(occurrence.attempts, log.bucket)
    if (acked !== undefined && acked < latestBegin && !isRepeated(occurrences, occurrence)) {
      history.break(
        'G3',
        'realtime',
        `offset ${occurrence.offset} of ${tableId}#${log.bucket}: r${occurrence.request.id} was acked before r${latest?.request.id} began, and stands behind it`,
      )
    }
    const begin = Math.min(...occurrence.attempts.map(({ from }) => from))
    if (begin > latestBegin) {
      latestBegin = begin
      latest = occurrence
    }
  }
}

/** A request without a producer that stands there twice was acked for one place only. */
const isRepeated = (occurrences: readonly Occurrence[], { request }: Occurrence): boolean =>
  request.producer === undefined && occurrences.filter((other) => other.request === request).length > 1

function firstAck(attempts: readonly AttemptRecord[], bucket: number): number | undefined {
  let first: number | undefined
  for (const { parts, answer, until } of attempts) {
    const index = parts.findIndex((part) => part.bucket === bucket)
    if (answer?.[index]?.done === true && until !== undefined && (first === undefined || until < first)) first = until
  }
  return first
}

/** acked: rows stand where an answer says. aborted: where every answer says that nothing happened, nothing did. */
function checkAnswers(history: History, tableId: string, logs: readonly BucketLog[], all: Attempts): void {
  const byBucket = new Map(logs.map((log) => [log.bucket, log]))
  const present = new Map<number, Set<number>>()
  for (const log of logs) present.set(log.bucket, new Set(log.values.map(requestOf)))
  for (const { request, attempts } of all.values()) {
    const perhaps = new Set<number>()
    const buckets = new Set<number>()
    for (const { parts, answer } of attempts) {
      parts.forEach((part, i) => {
        const said = answer?.[i]
        buckets.add(part.bucket)
        if (said === undefined || said.done || said.effect !== 'none') perhaps.add(part.bucket)
        if (said?.done !== true) return
        const log = byBucket.get(part.bucket)
        const from = Number(said.base - (log?.start ?? 0n))
        const rows = said.end - said.base
        const there =
          log !== undefined &&
          from >= 0 &&
          rows === BigInt(part.values.length) &&
          part.values.every((v, j) => log.values[from + j] === v)
        if (!there)
          history.break(
            'G1',
            'acked',
            `r${request.id} of ${nameOf(request)} was acked at [${said.base}, ${said.end}) of ${tableId}#${part.bucket} and is not there`,
          )
      })
    }
    for (const bucket of buckets) {
      if (perhaps.has(bucket) || present.get(bucket)?.has(request.id) !== true) continue
      history.break(
        'G1',
        'aborted',
        `every attempt of r${request.id} on ${tableId}#${bucket} was answered as without effect, and its rows are there`,
      )
    }
  }
}

const nameOf = ({ producer }: RequestRecord): string =>
  producer === undefined ? 'no producer' : `${producer.name} epoch ${producer.epoch} sequence ${producer.sequence}`

/** Nothing that begins after a drop was answered is acked into the dropped table. */
export function checkDropped(history: History, tableId: string): void {
  const goneAt = history.drops.get(tableId)?.goneAt ?? Number.POSITIVE_INFINITY
  for (const { request, attempts } of attemptsOn(history, tableId).values()) {
    for (const { from, answer } of attempts) {
      if (from <= goneAt || answer?.some((part) => part.done && !part.duplicate) !== true) continue
      history.break('G1', 'dropped', `r${request.id} began after ${tableId} was gone, and was acked into it`)
    }
  }
}
