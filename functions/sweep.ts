/** The Lambda function on the schedule: due marks become jobs. */
import middy from '@middy/core'
import { sweep } from '../core/jobs/sweep.ts'
import { lambdaWorld } from './lambda-world.ts'

const world = lambdaWorld()

export const handler = middy().handler(async () => sweep(await world()))
