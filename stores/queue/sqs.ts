/**
 * JobQueue on SQS. A delay is at most 15 minutes there: a later job comes early, finds its mark not yet due, and the sweep
 * sends it again. The SDK's retries are off and bounded here by one repetition policy of the caller.
 */
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import type { Job, JobQueue } from '../../core/ports/queue.ts'
import { awsError, connectionMsMax } from '../aws-error.ts'
import { type RetryPolicy, repeated } from '../decorators/retry.ts'
import { encodeJob } from './job-codec.ts'

const delaySecondsMax = 900
const requestMsMax = 5_000

export interface SqsOptions {
  readonly url: string
  readonly endpoint?: string
  readonly region?: string
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string }
  readonly retry: RetryPolicy
}

export function openSqs({ url, endpoint, region, credentials, retry }: SqsOptions): SqsQueue {
  const client = new SQSClient({
    maxAttempts: 1,
    requestHandler: { connectionTimeout: connectionMsMax },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(credentials === undefined ? {} : { credentials }),
  })
  return new SqsQueue(client, url, retry)
}

export class SqsQueue implements JobQueue {
  readonly #client: SQSClient
  readonly #url: string
  readonly #retry: RetryPolicy

  constructor(client: SQSClient, url: string, retry: RetryPolicy) {
    this.#client = client
    this.#url = url
    this.#retry = retry
  }

  /** A repeated send may deliver the job twice, which jobs allow. */
  async send(job: Job, delayMs = 0): Promise<void> {
    const DelaySeconds = Math.min(delaySecondsMax, Math.ceil(Math.max(0, delayMs) / 1000))
    const input = { QueueUrl: this.#url, MessageBody: encodeJob(job), DelaySeconds }
    await repeated(this.#retry, 'queue.send', async () => {
      try {
        await this.#client.send(new SendMessageCommand(input), { abortSignal: AbortSignal.timeout(requestMsMax) })
      } catch (error) {
        throw awsError(error, `a ${job.kind} job cannot be sent`, 'write')
      }
    })
  }

  close(): void {
    this.#client.destroy()
  }
}
