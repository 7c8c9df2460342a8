/** The Lambda function on the schedule: marks that are due, or will be before it runs again, become jobs. */
import middy from '@middy/core'
import { sweep } from '../core/jobs/sweep.ts'
import { lambdaWorld } from './lambda-world.ts'

/** As in infra/work.ts. */
const everyMs = 60_000
const world = lambdaWorld()

export const handler = middy().handler(async () => sweep(await world(), everyMs))
