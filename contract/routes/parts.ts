/** What the routes of every theme are put together from. */
import * as z from 'zod/mini'
import { limits } from '../../core/kernel/limits.ts'
import { media } from '../media.ts'
import { type Answer, noBody, type Schema, type Shape } from '../route.ts'

export const tablePath = '/v1/databases/{db}/tables/{table}'
const json = [media.json]

export const jsonBody = <S extends Schema>(schema: S) => ({ kind: 'json', schema, required: true }) as const
export const optionalJson = <S extends Schema>(schema: S) => ({ kind: 'json', schema, required: false }) as const
export const answer = (description: string, schema: Schema, headers?: Shape): Answer => ({
  description,
  content: { [media.json]: schema },
  ...(headers === undefined ? {} : { headers }),
})

export const partitionName = (description: string) =>
  z.string().check(z.maxLength(limits.partitionNameBytesMax, 'is too long'), z.meta({ description }))

export const text = (description: string) => z.string().check(z.meta({ description }))

export const base = { body: noBody, bodyBytesMax: limits.jsonBodyBytesMax, produces: json, errors: [] } as const
