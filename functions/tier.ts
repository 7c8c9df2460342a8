/**
 * The Lambda function behind the job queue. One job a message; a message that fails is the queue's to give again, and
 * its mark is there in any case. A job ends a minute before the invocation would, with what it has committed.
 */
import middy from '@middy/core'
import { inlineParquet } from '../stores/parquet/inline.ts'
import { decodeJob } from '../stores/queue/job-codec.ts'
import { runJob } from './jobs.ts'
import { lambdaWorld } from './lambda-world.ts'

export interface QueueEvent {
  readonly Records: readonly { readonly messageId: string; readonly body: string }[]
}

export interface TimedContext {
  getRemainingTimeInMillis(): number
}

const marginMs = 60_000
const world = lambdaWorld(inlineParquet())

export const handler = middy().handler(tier as never)

async function tier(event: QueueEvent, context: TimedContext): Promise<void> {
  const opened = await world()
  const deadlineMs = opened.clock.now() + Math.max(0, context.getRemainingTimeInMillis() - marginMs)
  for (const { body } of event.Records) await runJob(opened, decodeJob(body), { deadlineMs })
}
