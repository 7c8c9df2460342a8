/** The Lambda function that gives rows. */
import { lambdaHandler } from './lambda.ts'
import { lambdaWorld } from './lambda-world.ts'
import { readHandlers } from './read/handlers.ts'

export const handler = lambdaHandler(readHandlers, lambdaWorld())
