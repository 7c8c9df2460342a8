/**
 * The job queue. Jobs are idempotent and marks bring them back, so a job that fails five times is set aside for a
 * person to look at and nothing is lost. A job is invisible for longer than its function may run.
 */
const dead = new sst.aws.Queue('JobsDead', {
  transform: { queue: { messageRetentionSeconds: 14 * 24 * 3600, sqsManagedSseEnabled: true } },
})

export const jobs = new sst.aws.Queue('Jobs', {
  visibilityTimeout: '16 minutes',
  dlq: { queue: dead.arn, retry: 5 },
  transform: { queue: { sqsManagedSseEnabled: true } },
})
