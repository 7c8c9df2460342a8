/**
 * ObjectStore on S3 or an S3-compatible server. A create is one PUT with `If-None-Match: *`; whatever says that the key
 * exists is resolved by reading back and comparing, for a lost answer of our own write looks the same. The SDK's retries
 * are off (decorators/retry.ts is the one retry) and every request has a time-out: after it the outcome of a write is
 * unknown. A crash leaves the object or nothing.
 */
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { equalBytes, joined, type Pieces, plainBytes } from '../../core/kernel/bytes.ts'
import { isSluiceError, SluiceError } from '../../core/kernel/errors.ts'
import type { ByteRange, ListedObject, ObjectStore } from '../../core/ports/objects.ts'
import { awsError, connectionMsMax, statusOf } from '../aws-error.ts'
import { absent, checkKey, checkPrefix, checkRange, outOfRange } from './key.ts'

const deletesAtOnce = 1_000
const socketsMax = 128

export interface S3Options {
  readonly endpoint?: string
  readonly region?: string
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string }
  /** Bucket in the path instead of the host name, as most other servers want it. */
  readonly pathStyle?: boolean
  /** `WHEN_REQUIRED` for servers that know no CRC trailers. */
  readonly checksums?: 'WHEN_SUPPORTED' | 'WHEN_REQUIRED'
  readonly expectContinue?: boolean
  readonly requestMsMax?: number
}

export function openS3(bucket: string, prefix: string, options: S3Options = {}): S3Objects {
  const checksums = options.checksums ?? 'WHEN_SUPPORTED'
  const client = new S3Client({
    maxAttempts: 1,
    forcePathStyle: options.pathStyle ?? false,
    requestChecksumCalculation: checksums,
    responseChecksumValidation: checksums,
    expectContinueHeader: options.expectContinue ?? false,
    requestHandler: {
      connectionTimeout: connectionMsMax,
      httpAgent: { maxSockets: socketsMax },
      httpsAgent: { maxSockets: socketsMax },
    },
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    ...(options.region === undefined ? {} : { region: options.region }),
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
  })
  return new S3Objects(client, {
    bucket,
    prefix: prefix.replace(/\/*$/, prefix === '' ? '' : '/'),
    requestMsMax: options.requestMsMax ?? 10_000,
  })
}

export class S3Objects implements ObjectStore {
  readonly #client: S3Client
  readonly #bucket: string
  readonly #prefix: string
  readonly #requestMsMax: number

  constructor(client: S3Client, place: { readonly bucket: string; readonly prefix: string; readonly requestMsMax: number }) {
    this.#client = client
    this.#bucket = place.bucket
    this.#prefix = place.prefix
    this.#requestMsMax = place.requestMsMax
  }

  async create(key: string, pieces: Pieces): Promise<'created' | 'exists'> {
    const bytes = joined(pieces)
    const put = new PutObjectCommand({ ...this.#at(key), Body: bytes, ContentLength: bytes.length, IfNoneMatch: '*' })
    try {
      await this.#client.send(put, this.#limits()) // COMMIT POINT
      return 'created'
    } catch (error) {
      // 412: the key exists. 409: another write of it was under way. Both may speak of our own earlier attempt.
      if (statusOf(error) !== 412 && statusOf(error) !== 409) throw awsError(error, `object ${key} cannot be created`, 'write')
      return this.#compare(key, bytes)
    }
  }

  async read(key: string, range?: ByteRange): Promise<Uint8Array> {
    const at = this.#at(key)
    if (range !== undefined) checkRange(key, range)
    try {
      if (range !== undefined && range.start === range.end) return await this.#readNothing(key, range)
      const wanted = range === undefined ? {} : { Range: `bytes=${range.start}-${range.end - 1}` }
      const answer = await this.#client.send(new GetObjectCommand({ ...at, ...wanted }), this.#limits())
      const bytes = plainBytes((await answer.Body?.transformToByteArray()) ?? new Uint8Array())
      return complete({ key, range, bytes, length: answer.ContentLength, contentRange: answer.ContentRange })
    } catch (error) {
      if (statusOf(error) === 404 && nameOf(error) !== 'NoSuchBucket') throw absent(key)
      if (statusOf(error) === 416 && range !== undefined) throw outOfRange(key, range, Number.NaN)
      throw awsError(error, `object ${key} cannot be read`, 'read')
    }
  }

  async delete(keys: readonly string[]): Promise<void> {
    const all = keys.map((key) => ({ Key: this.#at(key).Key }))
    for (let at = 0; at < all.length; at += deletesAtOnce) {
      const objects = all.slice(at, at + deletesAtOnce)
      await this.#deletePage(objects)
    }
  }

  async *list(prefix: string): AsyncIterable<ListedObject> {
    checkPrefix(prefix)
    let token: string | undefined
    do {
      const page = await this.#listPage(prefix, token)
      for (const { Key, Size } of page.Contents ?? []) {
        if (Key !== undefined) yield { key: Key.slice(this.#prefix.length), bytes: Size ?? 0 }
      }
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined
    } while (token !== undefined)
  }

  uri(key: string): string {
    const { Bucket, Key } = this.#at(key)
    return `s3://${Bucket}/${Key}`
  }

  async replace(key: string, bytes: Uint8Array): Promise<void> {
    const at = this.#at(key)
    try {
      await this.#client.send(new PutObjectCommand({ ...at, Body: bytes, ContentLength: bytes.length }), this.#limits()) // COMMIT POINT
    } catch (error) {
      throw awsError(error, `object ${key} cannot be replaced`, 'write')
    }
  }

  close(): void {
    this.#client.destroy()
  }

  #at(key: string): { Bucket: string; Key: string } {
    checkKey(key)
    return { Bucket: this.#bucket, Key: this.#prefix + key }
  }

  #limits(): { abortSignal: AbortSignal } {
    return { abortSignal: AbortSignal.timeout(this.#requestMsMax) }
  }

  /** If the object is gone again the refused create had no effect, and may be repeated. */
  async #compare(key: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    try {
      return equalBytes(await this.read(key), bytes) ? 'created' : 'exists'
    } catch (error) {
      if (isSluiceError(error, 'not-found')) {
        throw new SluiceError('unavailable', `object ${key} was refused as existing and is absent`, {
          effect: 'none',
          facts: { key },
        })
      }
      if (!isSluiceError(error)) throw error
      throw new SluiceError(error.code, error.message, {
        effect: 'unknown',
        action: error.action,
        facts: error.facts,
        cause: error,
      })
    }
  }

  /** HTTP has no empty range, yet the object must be there and long enough. */
  async #readNothing(key: string, range: ByteRange): Promise<Uint8Array> {
    const { ContentLength = 0 } = await this.#client.send(new HeadObjectCommand(this.#at(key)), this.#limits())
    if (range.end > ContentLength) throw outOfRange(key, range, ContentLength)
    return new Uint8Array()
  }

  async #deletePage(objects: { Key: string }[]): Promise<void> {
    const input = { Bucket: this.#bucket, Delete: { Objects: objects, Quiet: true } }
    try {
      const { Errors: errors = [] } = await this.#client.send(new DeleteObjectsCommand(input), this.#limits())
      const failed = errors.find(({ Code }) => Code !== 'NoSuchKey')
      if (failed === undefined) return
      const facts = { key: failed.Key, code: failed.Code }
      throw new SluiceError('unavailable', `${errors.length} objects cannot be deleted: ${failed.Code ?? 'no reason given'}`, {
        effect: 'unknown',
        facts,
      })
    } catch (error) {
      throw awsError(error, 'objects cannot be deleted', 'write')
    }
  }

  async #listPage(prefix: string, token: string | undefined): Promise<ListObjectsV2CommandOutput> {
    const from = token === undefined ? {} : { ContinuationToken: token }
    try {
      return await this.#client.send(
        new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: this.#prefix + prefix, ...from }),
        this.#limits(),
      )
    } catch (error) {
      throw awsError(error, `objects under ${prefix} cannot be listed`, 'read')
    }
  }
}

interface Answer {
  readonly key: string
  readonly range: ByteRange | undefined
  readonly bytes: Uint8Array
  readonly length: number | undefined
  readonly contentRange: string | undefined
}

/** A short body, or another range than the one that was asked for, is never handed on (B13). */
function complete({ key, range, bytes, length, contentRange }: Answer): Uint8Array {
  if (length !== undefined && length !== bytes.length) {
    throw new SluiceError('unavailable', `object ${key} broke off after ${bytes.length} of ${length} bytes`, {
      effect: 'none',
      facts: { key },
    })
  }
  if (range === undefined) return bytes
  const [, start, , size] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(contentRange ?? '') ?? []
  if (start === undefined)
    throw new SluiceError('internal', `the object store ignored the range of object ${key}`, { facts: { key } })
  if (Number(start) !== range.start || bytes.length !== range.end - range.start) throw outOfRange(key, range, Number(size))
  return bytes
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : '')
