/** Rows of a stream to a table: NDJSON in bodies of about 1 MiB, cut between lines; Arrow in one body. One producer, so a retry is safe. */
import { randomUUID } from 'node:crypto'
import { type Answer, call, type Remote } from './http.ts'

const bodyBytesMin = 1024 * 1024

export async function produceFile(
  remote: Remote,
  path: string,
  source: AsyncIterable<Buffer | string>,
  arrow: boolean,
): Promise<Answer> {
  const type = arrow ? 'application/vnd.apache.arrow.stream' : 'application/x-ndjson'
  const producer = randomUUID()
  let sequence = 0
  const send = (body: Uint8Array) =>
    call(remote, 'POST', path, body, { 'Content-Type': type, 'Producer-Id': producer, 'Producer-Seq': String(sequence++) })
  let rest = Buffer.alloc(0)
  let answer: Answer | undefined
  for await (const chunk of source) {
    rest = Buffer.concat([rest, Buffer.from(chunk)])
    const end = arrow || rest.length < bodyBytesMin ? -1 : rest.lastIndexOf(10)
    if (end === -1) continue
    answer = await send(rest.subarray(0, end + 1))
    rest = rest.subarray(end + 1)
  }
  return rest.length > 0 || answer === undefined ? send(rest) : answer
}
