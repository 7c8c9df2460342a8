/** The Lambda function that gives rows. */
import { inlineParquet } from '../stores/parquet/inline.ts'
import { lambdaHandler } from './lambda.ts'
import { lambdaWorld } from './lambda-world.ts'
import { readHandlers } from './read/handlers.ts'

export const handler = lambdaHandler(readHandlers, lambdaWorld(undefined, inlineParquet()))
