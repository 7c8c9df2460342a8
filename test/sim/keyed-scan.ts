/** Scans of a keyed table's story: all rows of one bucket, a page at a time, in whichever process answers, at the offset of the first. */
import { headKey } from '../../core/format/items/head.ts'
import { isSluiceError } from '../../core/kernel/errors.ts'
import { limits } from '../../core/kernel/limits.ts'
import type { ScanPart, ScanPlace } from '../../core/kv/scan.ts'
import { unpartitioned } from '../../core/model/partition.ts'
import { tableCache } from './actors/ingest.ts'
import { trigger } from './actors/jobs.ts'
import { isSame, type KeyedBucketHistory, type KeyedWatch, seenOf, shown } from './checks/keyed.ts'
import type { Outcome } from './cluster.ts'
import { databaseName, type Stage, tableName } from './stage.ts'

const pageTimeoutMs = 30_000
const pagesMax = 40
/** Then every object of a snapshot is old enough to be collected. */
const oldMs = 30 * 3_600_000
/** Twice of it lies within a lease, whatever the clocks say. */
const jobsMs = 60_000
/** Between the clock that took a lease and the one that looks at it. */
const clockGapMs = 300_000

interface Scanned {
  readonly stage: Stage
  readonly watch: KeyedWatch
}

type Found = Map<string, ReturnType<typeof seenOf>>

interface Page {
  readonly outcome: Outcome<ScanPart>
  readonly bucketName: string
  /** It gives way to no other scan. */
  readonly isHeld: boolean
}

async function page({ stage }: Scanned, bucket: number, place: ScanPlace | undefined, rowsMax: number): Promise<Page> {
  let bucketName = ''
  let isHeld = false
  const outcome = await stage.cluster.invoke({
    role: stage.random.pick(['ingest', 'read']),
    name: `scan bucket ${bucket}`,
    timeoutMs: pageTimeoutMs,
    repeatable: false,
    run: async (environment) => {
      const table = await tableCache(stage, environment).get(databaseName, tableName)
      bucketName = headKey(table.tableId, { partition: '', bucket }).partition
      const at = { partition: unpartitioned, bucket }
      const part = await environment.kv.scan(table, at, place, { rowsMax, bytesMax: 1 << 30 })
      isHeld = place !== undefined && (await environment.kv.holdScan(table, at, place.lease))
      return part
    },
  })
  return { outcome, bucketName, isHeld }
}

export async function scan(scanned: Scanned, isWorking: () => boolean): Promise<void> {
  const { random, cluster, swarm, scheduler, history } = scanned.stage
  while (isWorking()) {
    await cluster.sleep(random.magnitude(100, Math.max(5_000, 8 * swarm.thinkMs)))
    const bucket = random.below(swarm.buckets)
    const found: Found = new Map()
    const rowsMax = random.between(1, 4)
    let place: ScanPlace | undefined
    let begun = scheduler.now
    // only who went on is sure of his place
    let isHeld = false
    for (let pages = 0; pages < pagesMax; pages++) {
      if (place === undefined) begun = scheduler.now
      const { outcome, bucketName, isHeld: isHeldNow } = await page(scanned, bucket, place, rowsMax)
      if (outcome.is === 'error' && isSluiceError(outcome.error, 'gone')) {
        if (isHeld && scheduler.now < begun + limits.scanLeaseMs - clockGapMs)
          history.break('G6', 'scan', `bucket ${bucket}: gone within its lease: ${outcome.error.cause ?? outcome.error}`)
        break
      }
      if (outcome.is !== 'answer') {
        await cluster.sleep(random.magnitude(10, 60_000))
        continue
      }
      for (const { key, row } of outcome.value.rows) found.set(key, seenOf(row))
      isHeld = isHeldNow
      place = outcome.value.place
      if (!outcome.value.isDone) continue
      if (place !== undefined) check(scanned, scanned.watch.buckets.get(bucketName), place.at, found)
      break
    }
  }
}

/**
 * Without faults a scan goes on within its lease to its last row, though every row changes meanwhile, the snapshot is superseded, and
 * jobs take what is old and not needed any more.
 */
export async function scanUnderLease(scanned: Scanned, change: () => Promise<void>): Promise<void> {
  const { random, cluster, swarm, history } = scanned.stage
  await cluster.sleep(oldMs)
  const bucket = random.below(swarm.buckets)
  const found: Found = new Map()
  let place: ScanPlace | undefined
  for (let pages = 0; pages < pagesMax; pages++) {
    const { outcome, bucketName } = await page(scanned, bucket, place, 1)
    if (outcome.is !== 'answer')
      return history.break(
        'G10',
        'lease',
        `a scan within its lease: ${outcome.is === 'error' ? String(outcome.error) : outcome.is}`,
      )
    for (const { key, row } of outcome.value.rows) found.set(key, seenOf(row))
    place = outcome.value.place
    if (outcome.value.isDone) {
      if (place !== undefined) check(scanned, scanned.watch.buckets.get(bucketName), place.at, found)
      return
    }
    if (pages > 0) continue
    for (const kind of ['fold', 'collect'] as const) {
      if (kind === 'fold') await change()
      await cluster.sleep(jobsMs / 2)
      trigger(scanned.stage, kind)
      if (kind === 'collect') trigger(scanned.stage, 'retain')
      await cluster.sleep(jobsMs / 2)
    }
  }
}

function check({ stage }: Scanned, bucket: KeyedBucketHistory | undefined, at: bigint, found: Found): void {
  if (bucket === undefined) return stage.history.break('G6', 'scan', 'a scan of a bucket that never was')
  for (const key of new Set([...bucket.versions.keys(), ...found.keys()])) {
    const wanted = bucket.at(key, at)
    if (!isSame(wanted, found.get(key)))
      stage.history.break(
        'G6',
        'scan',
        `${bucket.name} at ${at}: ${JSON.stringify(key)} has ${shown(found.get(key))}, not ${shown(wanted)}`,
      )
  }
}
