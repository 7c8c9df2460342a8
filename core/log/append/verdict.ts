/** What a producer's known state says about a request of it: the one place that compares epochs and sequences. Pure. */
import type { ProducerState } from '../../format/items/head.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { offsetOf } from '../../kernel/ids.ts'
import type { BucketAppended, Producer } from '../types.ts'

export type Outcome = BucketAppended['outcome']

/** Undefined: the request is news and may be committed. */
export function verdict(producer: Producer, known: ProducerState | undefined): Outcome | undefined {
  if (known === undefined || producer.epoch > known.epoch) return undefined
  if (producer.epoch < known.epoch) {
    return refused('stale-epoch', `epoch ${producer.epoch} was fenced by epoch ${known.epoch}: stop, or take a newer epoch`, {
      epoch: `${known.epoch}`,
    })
  }
  if (producer.sequence === known.sequence) return repeated(producer, known)
  if (producer.sequence < known.sequence) {
    return refused('sequence-old', `sequence ${producer.sequence} is below the last one, ${known.sequence}: its answer is gone`, {
      lastSequence: `${known.sequence}`,
    })
  }
  if (producer.gapDetection && producer.sequence !== known.sequence + 1n) {
    return refused('sequence-gap', `sequence ${producer.sequence} leaves a gap: send ${known.sequence + 1n} first`, {
      expected: `${known.sequence + 1n}`,
    })
  }
  return undefined
}

function repeated(producer: Producer, known: ProducerState): Outcome {
  if (producer.crc !== known.crc) {
    return refused(
      'sequence-reused',
      `sequence ${producer.sequence} was used with another body: send new rows under a new sequence`,
      {
        lastSequence: `${known.sequence}`,
      },
    )
  }
  return { done: true, base: known.base, end: offsetOf(known.base + known.count), duplicate: true }
}

function refused(
  code: 'stale-epoch' | 'sequence-old' | 'sequence-reused' | 'sequence-gap',
  message: string,
  facts: Record<string, string>,
): Outcome {
  return { done: false, error: new SluiceError(code, message, { facts }) }
}
