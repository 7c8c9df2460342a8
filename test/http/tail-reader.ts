/** A reader of server-sent events as a browser's EventSource: comes back with the last id until it is told to stop. */
import { type ClientRequest, type IncomingMessage, request } from 'node:http'

export interface Received {
  readonly event: string
  readonly id: string
  readonly data: string
}

export interface Opened {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  /** All events until the stream ends or `until` says enough. */
  readonly events: readonly Received[]
  readonly text: string
}

/** One connection. */
export function openTail(
  port: number,
  path: string,
  { lastEventId, until = () => false }: { lastEventId?: string | undefined; until?: (event: Received) => boolean } = {},
): Promise<Opened> {
  return new Promise((resolve, reject) => {
    const headers = { Accept: 'text/event-stream', ...(lastEventId === undefined ? {} : { 'Last-Event-ID': lastEventId }) }
    const outgoing: ClientRequest = request(
      { host: '127.0.0.1', port, path, headers, agent: false },
      (incoming: IncomingMessage) => {
        const events: Received[] = []
        let text = ''
        let id = lastEventId ?? ''
        let at = 0
        incoming.setEncoding('utf8')
        const done = (): void => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, events, text })
        incoming.on('data', (chunk: string) => {
          text += chunk
          for (let end = text.indexOf('\n\n', at); end !== -1; end = text.indexOf('\n\n', at)) {
            const fields = text.slice(at, end).split('\n')
            at = end + 2
            const field = (name: string): string | undefined =>
              fields.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
            id = field('id') ?? id
            const data = field('data')
            if (data === undefined) continue
            const event = { event: field('event') ?? 'message', id, data }
            events.push(event)
            if (!until(event)) continue
            outgoing.destroy()
            return done()
          }
        })
        incoming.on('end', done)
        incoming.on('error', done)
      },
    )
    outgoing.on('error', reject)
    outgoing.end()
  })
}

/** Rows of all connections until `isDone`; `port` may change while it reads. */
export async function followTail(
  port: () => number,
  path: string,
  isDone: (rows: readonly Record<string, unknown>[]) => boolean,
): Promise<readonly Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = []
  let lastEventId: string | undefined
  while (!isDone(rows)) {
    await openTail(port(), path, {
      lastEventId,
      until: ({ event, id, data }) => {
        if (event !== 'records') return false
        rows.push(...(JSON.parse(data) as Record<string, unknown>[]))
        lastEventId = id
        return isDone(rows)
      },
    }).catch(() => undefined)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return rows
}
