/**
 * The keyed buckets that a process knows. Where their tails take more than half of the budget those longest unused are forgotten, and
 * where one alone does, its writers wait until it is folded: so memory is bounded whatever the table's size.
 */
import { SluiceError } from '../kernel/errors.ts'
import { type BucketRef, bucketKey, idOf } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import { KvBucket, type KvReading } from './bucket.ts'

export class KvBuckets {
  readonly #kv: KvReading
  /** In the order of their last use. */
  readonly #buckets = new Map<string, KvBucket>()

  constructor(kv: KvReading) {
    this.#kv = kv
  }

  /** The bucket stays known while `work` runs. */
  async use<T>(table: Table, at: BucketRef, work: (bucket: KvBucket) => Promise<T>): Promise<T> {
    const bucket = this.hold(table, at)
    try {
      return await work(bucket)
    } finally {
      this.release(bucket)
    }
  }

  /** Until it is released. */
  hold(table: Table, at: BucketRef): KvBucket {
    const key = `${table.tableId}#${bucketKey(idOf(at))}`
    const bucket = this.#buckets.get(key) ?? new KvBucket(this.#kv, at)
    this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    bucket.users += 1
    return bucket
  }

  release(bucket: KvBucket): void {
    bucket.users -= 1
    this.#shrink()
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
