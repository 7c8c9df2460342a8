/**
 * A client that sends exactly what it is told (any Host, any header, any bytes, a path as it stands), and holds every
 * answer against /openapi.json: what is not described fails the test that asked.
 */
import { Agent, request } from 'node:http'
import { openapiDocument } from '../../contract/openapi.ts'
import { complaints } from './openapi-check.ts'

export interface Sent {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
  /** Becomes the body, as application/json. */
  readonly json?: unknown
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: Uint8Array
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever comes
  readonly json: any
}

const document = JSON.parse(JSON.stringify(openapiDocument()))

export class Client {
  readonly port: number
  readonly agent = new Agent({ keepAlive: true, maxSockets: 64 })
  /** How many answers were held against the description. */
  checked = 0

  constructor(port: number) {
    this.port = port
  }

  get(path: string, headers: Sent['headers'] = {}): Promise<Answer> {
    return this.send('GET', path, { headers })
  }

  put(path: string, json?: unknown): Promise<Answer> {
    return this.send('PUT', path, json === undefined ? {} : { json })
  }

  async send(method: string, target: string, sent: Sent = {}): Promise<Answer> {
    const answer = await this.raw(method, target, sent)
    const path = target.replace(/^https?:\/\/[^/]*/, '').split('?')[0] ?? ''
    const found = complaints({ method, path, status: answer.status, headers: answer.headers, body: answer.bytes }, document)
    if (found.length > 0) throw new Error(`${found.join('\n')}\n${answer.text.slice(0, 2_000)}`)
    this.checked++
    return answer
  }

  raw(method: string, target: string, { headers = {}, body, json }: Sent = {}): Promise<Answer> {
    // as bytes: Node would send the head in the encoding of a text body
    const text = json === undefined ? body : JSON.stringify(json)
    const bytes = typeof text === 'string' ? Buffer.from(text) : text
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          host: '127.0.0.1',
          port: this.port,
          method,
          path: target,
          agent: this.agent,
          headers: {
            ...(json === undefined ? {} : { 'Content-Type': 'application/json' }),
            ...(bytes === undefined || headers['Transfer-Encoding'] !== undefined
              ? {}
              : { 'Content-Length': Buffer.byteLength(bytes) }),
            ...headers,
          },
        },
        (incoming) => {
          const chunks: Buffer[] = []
          incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
          incoming.on('error', reject)
          incoming.on('end', () => resolve(answerOf(incoming.statusCode ?? 0, incoming.headers, Buffer.concat(chunks))))
        },
      )
      outgoing.on('error', reject)
      outgoing.end(bytes)
    })
  }

  close(): void {
    this.agent.destroy()
  }
}

function answerOf(status: number, headers: NodeJS.Dict<string | string[]>, bytes: Buffer): Answer {
  const text = bytes.toString()
  const flat = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    json = undefined
  }
  return { status, headers: flat, bytes, text, json }
}
