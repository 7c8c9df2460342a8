/** A server of a script: one step a request, which sees what was sent and answers, or throws as a lost connection does. */
import type { Fetch } from './request.ts'

export interface Sent {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export type Step = Response | Error | ((sent: Sent) => Response | Promise<Response>)

export const lost = (): Error => new TypeError('fetch failed', { cause: new Error('socket hang up') })

export const json = (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Response =>
  new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json', ...headers } })

export const rows = (lines: readonly object[], cursor: string, headers: Readonly<Record<string, string>> = {}): Response =>
  new Response(lines.map((line) => `${JSON.stringify(line)}\n`).join(''), {
    headers: { 'Sluice-Rows': String(lines.length), 'Sluice-Cursor': cursor, ...headers },
  })

export function fakeFetch(steps: readonly Step[]): { readonly fetch: Fetch; readonly sent: Sent[] } {
  const left = [...steps]
  const sent: Sent[] = []
  const fetch: Fetch = async (input, { method = 'GET', headers, body } = {}) => {
    const one = {
      method,
      path: input.replace(/^https?:\/\/[^/]+/, ''),
      headers: headers as Record<string, string>,
      body: body instanceof Uint8Array ? new TextDecoder().decode(body) : String(body ?? ''),
    }
    sent.push(one)
    const step = left.shift()
    if (step === undefined) throw new Error(`nobody expects ${method} ${input}`)
    if (step instanceof Error) throw step
    return typeof step === 'function' ? step(one) : step
  }
  return { fetch, sent }
}
