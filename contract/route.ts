/** What version 1 says of one call. Router, validation, Allow, /openapi.json and the functions' seams are computed from it. */
import type * as z from 'zod/mini'
import type { ErrorCode } from '../core/kernel/errors.ts'

export type Method = 'GET' | 'HEAD' | 'PUT' | 'POST' | 'PATCH' | 'DELETE'
export type FunctionName = 'ingest' | 'read' | 'admin' | 'catalog' | 'query' | 'search'
/** What an access rule must allow; `none` is open to everybody who may speak to the server. */
export type Operation = 'none' | 'READ' | 'WRITE' | 'CREATE' | 'DROP' | 'ALTER' | 'DESCRIBE' | 'ALL'

export type Shape = z.ZodMiniObject
export type Schema = z.ZodMiniType

export interface Answer {
  readonly description: string
  /** Media type → schema; `undefined` where JSON schema has no say (streams of rows, text). Absent: no body. */
  readonly content?: Readonly<Record<string, Schema | undefined>>
  readonly headers?: Shape
}

export type Body =
  | { readonly kind: 'none' }
  | { readonly kind: 'json'; readonly schema: Schema; readonly required: boolean }
  /** Rows as Arrow, NDJSON or JSON; read by the format layer. */
  | { readonly kind: 'rows' }

export interface Route {
  readonly method: Method
  /** Segments `{db}`, `{table}` are names; a last `{rest...}` takes what is left. */
  readonly path: string
  readonly summary: string
  readonly function: FunctionName
  readonly operation: Operation
  readonly query?: Shape
  readonly headers?: Shape
  readonly body: Body
  readonly bodyBytesMax: number
  /** Media types of a successful answer, preferred first; an answer without a body is acceptable to everybody. */
  readonly produces: readonly string[]
  readonly answers: Readonly<Record<number, Answer>>
  readonly errors: readonly ErrorCode[]
  /** Absent: errors have the contract's own form. */
  readonly form?: 'iceberg'
  /** Named by the contract, not in this build: every call is answered 501 with this name. */
  readonly lacks?: string
}

export const noBody = { kind: 'none' } as const satisfies Body
