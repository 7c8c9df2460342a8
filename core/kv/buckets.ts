/**
 * The keyed buckets that a process knows. Where their tails take more than half of the budget those longest unused are forgotten; a
 * bucket in use that grows beyond it is forgotten too, and its user begins again in a turn of its own. Whoever waits for a turn holds
 * nothing, and whoever has it waits for nobody, so nobody waits for ever. Where one tail alone takes half of the budget its writers
 * wait until it is folded: so memory is bounded whatever the table's size, and however many buckets a request touches.
 */
import { SluiceError } from '../kernel/errors.ts'
import { type BucketRef, bucketKey, idOf } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import { KvBucket, type KvReading, NoRoomForTail } from './bucket.ts'

export class KvBuckets {
  readonly #kv: KvReading
  /** In the order of their last use. */
  readonly #buckets = new Map<string, KvBucket>()
  #turns: Promise<unknown> = Promise.resolve()
  #inTurn: KvBucket | undefined

  constructor(kv: Omit<KvReading, 'grown'>) {
    this.#kv = { ...kv, grown: (bucket) => this.#grown(bucket) }
  }

  /**
   * While `work` runs the bucket is not forgotten for others; where its own tail grows too large it is, and `work` runs a second time,
   * which must do no harm. It uses no other bucket.
   */
  async use<T>(table: Table, at: BucketRef, work: (bucket: KvBucket) => Promise<T>): Promise<T> {
    try {
      return await this.#held(table, at, work)
    } catch (error) {
      if (!(error instanceof NoRoomForTail)) throw error
    }
    const done = this.#turns.then(() =>
      this.#held(table, at, async (bucket) => {
        this.#inTurn = bucket
        try {
          return await work(bucket)
        } finally {
          this.#inTurn = undefined
        }
      }),
    )
    this.#turns = done.catch(() => undefined)
    return done
  }

  async #held<T>(table: Table, at: BucketRef, work: (bucket: KvBucket) => Promise<T>): Promise<T> {
    const key = `${table.tableId}#${bucketKey(idOf(at))}`
    const bucket = this.#buckets.get(key) ?? new KvBucket(this.#kv, at)
    this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    bucket.users += 1
    try {
      return await work(bucket)
    } finally {
      bucket.users -= 1
      this.#shrink()
    }
  }

  /** Errors: `NoRoomForTail`. */
  #grown(bucket: KvBucket): void {
    this.#shrink()
    if (this.#kv.cache.pinnedBytes > this.#pinnedMax && bucket !== this.#inTurn) throw new NoRoomForTail()
  }

  /** Errors: `throttled`: folding has fallen behind. */
  checkRoom(bucket: KvBucket, at: BucketRef): void {
    if (bucket.tailBytes <= this.#pinnedMax) return
    throw new SluiceError(
      'throttled',
      `changes of bucket ${at.bucket} wait to be folded into its snapshot: try again a little later`,
    )
  }

  get #pinnedMax(): number {
    return this.#kv.cache.bytesMax / 2
  }

  #shrink(): void {
    for (const [key, bucket] of this.#buckets) {
      if (this.#kv.cache.pinnedBytes <= this.#pinnedMax && this.#buckets.size <= bucketsMax) return
      if (bucket.users > 0) continue
      this.#buckets.delete(key)
      bucket.forget()
    }
  }
}

const bucketsMax = 20_000
