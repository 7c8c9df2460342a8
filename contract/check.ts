/**
 * A zod verdict as an error of ours: an unknown field names the nearest valid one, anything else names where it is
 * and what is wanted. Nothing of zod leaves this file.
 */
import type * as z from 'zod/mini'
import { type ErrorCode, SluiceError } from '../core/kernel/errors.ts'
import { nearest } from '../core/model/nearest.ts'
import type { Schema, Shape } from './route.ts'

/** `what`: `parameter`, `field`, `header`; it begins the message. */
export function check<S extends Schema>(schema: S, value: unknown, what: string, code: ErrorCode = 'bad-request'): z.output<S> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  if (issue === undefined) throw new SluiceError(code, `this ${what} is not valid`)
  if (issue.code === 'unrecognized_keys') throw unknownField(what, issue.path, issue.keys[0] ?? '', keysAt(schema, issue.path))
  const where = place(issue.path)
  const named = where === '' && what === 'field' ? 'the body ' : `${what} ${where}`
  throw new SluiceError(code, `${named}${wanted(issue)}`, { facts: where === '' ? {} : { [what]: where.trim() } })
}

export function unknownField(what: string, path: readonly PropertyKey[], key: string, known: readonly string[]): SluiceError {
  const shown = key.length > 64 ? `${key.slice(0, 64)}…` : key
  const where = path.length === 0 ? '' : ` in ${place(path).trim()}`
  const near = nearest(key, known)
  const hint =
    near !== undefined
      ? `did you mean ${near}?`
      : known.length === 0
        ? 'there are none here'
        : `known: ${known.slice(0, 20).join(', ')}`
  return new SluiceError('unknown-field', `unknown ${what} ${JSON.stringify(shown)}${where}: ${hint}`, {
    facts: near === undefined ? {} : { nearest: near },
  })
}

export function keysOf(shape: Shape | undefined): readonly string[] {
  return shape === undefined ? [] : Object.keys(shape._zod.def.shape)
}

function place(path: readonly PropertyKey[]): string {
  let text = ''
  for (const key of path) text += typeof key === 'number' ? `[${key}]` : `${text === '' ? '' : '.'}${String(key).slice(0, 64)}`
  return text === '' ? '' : `${text} `
}

interface Issue {
  readonly code?: string
  readonly message: string
  readonly expected?: string
}

function wanted(issue: Issue): string {
  if (issue.code !== 'invalid_type') return issue.message
  return issue.expected === undefined ? 'is not valid' : `must be ${article(issue.expected)}`
}

function article(expected: string): string {
  if (expected === 'int') return 'a whole number'
  if (expected === 'record') return 'an object'
  return /^[aeio]/.test(expected) ? `an ${expected}` : `a ${expected}`
}

/** The keys that the object schema at `path` knows. */
function keysAt(schema: Schema, path: readonly PropertyKey[]): readonly string[] {
  let at = unwrap(schema)
  for (const key of path) {
    if (at.type === 'object' && at.shape !== undefined) {
      const next = at.shape[String(key)]
      if (next === undefined) return []
      at = unwrap(next)
    } else if (at.type === 'array' && at.element !== undefined) at = unwrap(at.element)
    else return []
  }
  return at.shape === undefined ? [] : Object.keys(at.shape)
}

interface Definition {
  readonly type: string
  readonly innerType?: Schema
  readonly element?: Schema
  readonly in?: Schema
  readonly shape?: Readonly<Record<string, Schema>>
}

function unwrap(schema: Schema): Definition {
  let definition = schema._zod.def as unknown as Definition
  for (let inner = definition.innerType ?? definition.in; inner !== undefined; inner = definition.innerType ?? definition.in) {
    definition = inner._zod.def as unknown as Definition
  }
  return definition
}
