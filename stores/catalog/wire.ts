/**
 * One exchange with a catalog over HTTP: bounded in time and in bytes, no redirect followed (it would carry our credentials
 * elsewhere). An error says what is known of the effect: `none` only where the request cannot have reached the catalog.
 */
import { utf8Text } from '../../core/kernel/bytes.ts'
import { SluiceError } from '../../core/kernel/errors.ts'
import { type ExactJson, parseExact } from '../../core/lake/iceberg/json.ts'

export interface Outgoing {
  readonly method: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

export interface Answered {
  readonly status: number
  readonly body: Uint8Array
}

export type Wire = (request: Outgoing) => Promise<Answered>

export interface WireLimits {
  /** For headers and body together. */
  readonly timeoutMs: number
  /** Of an answer's body, as it is after Content-Encoding. */
  readonly answerBytesMax: number
}

export const wireDefaults: WireLimits = { timeoutMs: 20_000, answerBytesMax: 32 * 1024 * 1024 }

export function httpWire({ timeoutMs, answerBytesMax }: WireLimits = wireDefaults): Wire {
  return async ({ method, url, headers, body }) => {
    const signal = AbortSignal.timeout(timeoutMs)
    try {
      const response = await fetch(url, { method, headers, signal, redirect: 'error', ...(body !== undefined && { body }) })
      return { status: response.status, body: await bounded(response, answerBytesMax) }
    } catch (error) {
      if (error instanceof SluiceError) throw error
      throw unanswered(error, { host: url.host, timeoutMs })
    }
  }
}

async function bounded(response: Response, bytesMax: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of response.body ?? []) {
    bytes += part.length
    if (bytes > bytesMax) {
      // Leaving the loop cancels the rest.
      throw new SluiceError(
        'internal',
        `the catalog's answer is larger than ${bytesMax} bytes: expire snapshots of the table there`,
        {
          effect: 'unknown',
          action: 'stop',
          facts: { answerBytesMax: bytesMax },
        },
      )
    }
    parts.push(part)
  }
  return new Uint8Array(Buffer.concat(parts))
}

/** A connection that was never made carried nothing. */
const neverSent = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT'])

function unanswered(error: unknown, { host, timeoutMs }: { readonly host: string; readonly timeoutMs: number }): SluiceError {
  const { name, cause } = error as {
    readonly name?: string
    readonly cause?: { readonly code?: string; readonly message?: string }
  }
  if (name === 'TimeoutError' || name === 'AbortError') {
    return new SluiceError('timeout', `the catalog at ${host} did not answer in ${timeoutMs} ms`, {
      effect: 'unknown',
      cause: error,
    })
  }
  const code = cause?.code ?? ''
  if (cause?.message === 'unexpected redirect') {
    return new SluiceError('unavailable', `the catalog at ${host} answered with a redirect: name its last address`, {
      action: 'stop',
    })
  }
  return new SluiceError('unavailable', `the catalog at ${host} cannot be reached${code === '' ? '' : ` (${code})`}`, {
    effect: neverSent.has(code) ? 'none' : 'unknown',
    cause: error,
  })
}

/** An object of JSON, whole numbers exact. */
export function parseJson(body: Uint8Array, from: string): { readonly [key: string]: ExactJson } {
  let value: ExactJson
  try {
    value = parseExact(utf8Text(body))
  } catch (cause) {
    throw new SluiceError('internal', `the answer of ${from} is not JSON`, { effect: 'unknown', action: 'retry', cause })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SluiceError('internal', `the answer of ${from} is no JSON object`, { effect: 'unknown', action: 'retry' })
  }
  return value as { readonly [key: string]: ExactJson }
}
