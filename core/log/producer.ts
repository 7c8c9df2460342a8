/**
 * A producer as a head knows it. The id that a client chose never reaches the store: `id` is base64url of the first 8 bytes of
 * SHA-256(principal, NUL, Producer-Id), 11 characters, so that principals cannot meet and the head stays small.
 */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Producer } from './types.ts'

export interface ProducerRequest {
  /** `local` without tokens. */
  readonly principal: string
  readonly producerId: string
  readonly epoch: bigint
  readonly sequence: bigint
  /** The request body after Content-Encoding. */
  readonly body: Uint8Array
  readonly gapDetection: boolean
}

export function producerOf(request: ProducerRequest): Producer {
  const { principal, producerId, epoch, sequence, body, gapDetection } = request
  const digest = createHash('sha256').update(principal).update('\0').update(producerId).digest()
  return { id: digest.subarray(0, 8).toString('base64url'), epoch, sequence, crc: crc32(body), gapDetection }
}
