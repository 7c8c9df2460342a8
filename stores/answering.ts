/** For tests of the SDK-backed stores: a server on a free port of this machine that gives prepared answers in order. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** `reset` breaks the connection, `silence` never answers. */
export type Answer =
  | 'reset'
  | 'silence'
  | {
      readonly status: number
      readonly body?: string
      readonly headers?: Readonly<Record<string, string>>
      readonly breaksOff?: boolean
    }

export async function answering(
  answers: readonly Answer[],
  run: (endpoint: string, asked: readonly string[]) => Promise<void>,
): Promise<void> {
  const left = [...answers]
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.headers['x-amz-target'] ?? request.url}`)
    void drained(request).then(() => {
      const answer = left.shift() ?? 'reset'
      if (answer === 'reset') response.destroy()
      else if (answer !== 'silence') give(response, answer)
    })
  })
  const endpoint = await listening(server)
  try {
    await run(endpoint, asked)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

function give(response: ServerResponse, { status, body, headers, breaksOff }: Exclude<Answer, string>): void {
  response.writeHead(status, headers)
  if (breaksOff === true) response.write(body ?? '', () => response.destroy())
  else response.end(body)
}

async function drained(request: IncomingMessage): Promise<void> {
  for await (const _ of request);
}

function listening(server: Server): Promise<string> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
  })
}
