/** The Lambda function that takes rows. */
import { ingestHandlers } from './ingest/handlers.ts'
import { lambdaHandler } from './lambda.ts'
import { lambdaWorld } from './lambda-world.ts'

export const handler = lambdaHandler(ingestHandlers, lambdaWorld())
