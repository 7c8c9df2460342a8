/** Producer-Id, Producer-Epoch, Producer-Seq: all of a producer's identity, or none of it. */
import { SluiceError } from '../../core/kernel/errors.ts'
import { limits } from '../../core/kernel/limits.ts'
import type { Headers } from '../call.ts'

export interface ProducerHeaders {
  readonly producerId: string
  readonly epoch: bigint
  readonly sequence: bigint
}

export function readProducerHeaders(headers: Headers): ProducerHeaders | undefined {
  const id = headers['producer-id']
  const epoch = headers['producer-epoch']
  const sequence = headers['producer-seq']
  if (id === undefined) {
    if (epoch !== undefined || sequence !== undefined) throw bad('Producer-Seq and Producer-Epoch need a Producer-Id')
    return undefined
  }
  if (sequence === undefined) throw bad('Producer-Id needs a Producer-Seq, from 0')
  return {
    producerId: checkId(id),
    epoch: epoch === undefined ? 0n : number63(epoch, 'Producer-Epoch'),
    sequence: number63(sequence, 'Producer-Seq'),
  }
}

const plainId = /^[\x20-\x7e]{1,128}$/

/** 1 to 128 characters (code points), no control characters. */
function checkId(id: string): string {
  if (plainId.test(id)) return id
  if (
    id.isWellFormed() &&
    !/\p{Cc}|\ufffd/u.test(id) &&
    id !== '' &&
    [...id.slice(0, 512)].length <= limits.producerIdLengthMax &&
    id.length <= 512
  )
    return id
  throw bad(`Producer-Id must be 1 to ${limits.producerIdLengthMax} characters of UTF-8 without control characters`)
}

/** Digits, read exactly. */
function number63(text: string, header: string): bigint {
  const value = /^[0-9]{1,40}$/.test(text) ? BigInt(text) : -1n
  if (value < 0n || value > limits.sequenceMax) throw bad(`${header} must be a whole number from 0 to ${limits.sequenceMax}`)
  return value
}

const bad = (message: string): SluiceError => new SluiceError('bad-request', message)
