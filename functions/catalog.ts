/** The Lambda function that shows lakes to engines. */
import { icebergHandlers } from './iceberg/handlers.ts'
import { lambdaHandler } from './lambda.ts'
import { lambdaWorld } from './lambda-world.ts'

export const handler = lambdaHandler(icebergHandlers, lambdaWorld())
