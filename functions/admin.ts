/** The Lambda function for everything that is not on the hot path. */
import { adminHandlers } from './admin/handlers.ts'
import { lambdaHandler } from './lambda.ts'
import { lambdaWorld } from './lambda-world.ts'

export const handler = lambdaHandler(adminHandlers, lambdaWorld())
