/**
 * The handler seam: `(call, world) => Promise<Reply>`. Whoever adapts an outside world to it (serve/ from node:http,
 * lambda.ts from events) gives raw bytes and takes raw bytes; handlers know no transport.
 */
import type * as z from 'zod/mini'
import type { Route, Schema } from '../contract/route.ts'
import type { RouteId, Routes } from '../contract/routes.ts'
import type { Pieces } from '../core/kernel/bytes.ts'
import type { FunctionWorld } from './world.ts'

/** Lower-case names. */
export type Headers = Readonly<Record<string, string | undefined>>

export interface Params {
  readonly db: string
  readonly table: string
  /** As in the path, not validated. */
  readonly partition: string
}

export interface Call<Query = unknown, Value = unknown> {
  readonly route: Route
  /** Validated names; empty text where the path has none. */
  readonly params: Params
  readonly query: Query
  readonly headers: Headers
  /** After Content-Encoding. */
  readonly body: Uint8Array
  /** The JSON body of a call that has one. */
  readonly value: Value
  /** The media type that the caller wants, one of the route's. */
  readonly wants: string
  readonly signal: AbortSignal
}

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** In pieces where rows pass through. */
  readonly body: Pieces
  /** Instead of a body: chunks as they come. Whoever stops early returns it. */
  readonly stream?: AsyncGenerator<Uint8Array>
  /** To be called once, when the body is sent or given up: its memory may go. Otherwise the collector finds it, much later. */
  readonly release?: () => void
}

type QueryOf<R> = R extends { readonly query: infer Q extends Schema } ? z.output<Q> : undefined
type ValueOf<R> = R extends {
  readonly body: { readonly kind: 'json'; readonly schema: infer S extends Schema; readonly required: infer Required }
}
  ? Required extends true
    ? z.output<S>
    : z.output<S> | undefined
  : undefined

export type Handler<Id extends RouteId> = (
  call: Call<QueryOf<Routes[Id]>, ValueOf<Routes[Id]>>,
  world: FunctionWorld,
) => Promise<Reply>

/** The calls that one function answers. */
export type Handlers = { readonly [Id in RouteId]?: Handler<Id> }
