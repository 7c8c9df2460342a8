/** Pages of rows that are whole: as many rows as the answer says, or the same request again. */
import { media } from '../../contract/media.ts'
import { endOfStream } from '../../core/format/arrow/schema.ts'
import { equalBytes, utf8Text } from '../../core/kernel/bytes.ts'
import { type Answer, type Ask, ask, type Connection, RequestError } from '../request.ts'
import type { Row } from '../values.ts'

export type PageFormat = 'arrow' | 'ndjson'

export interface Page {
  readonly answer: Answer
  readonly rows: number
  readonly cursor: string | undefined
}

const cutAnswersMax = 4

/** `request` without `Accept`. Errors: `internal`: what answers is no Sluice, or cuts every answer. */
export async function askPage(connection: Connection, request: Ask, format: PageFormat): Promise<Page> {
  const asked = { ...request, headers: { ...request.headers, Accept: media[format] } }
  for (let attempt = 0; attempt < cutAnswersMax; attempt++) {
    const answer = await ask(connection, asked)
    const rows = Number(answer.headers.get('Sluice-Rows') ?? Number.NaN)
    if (Number.isInteger(rows) && isWhole(answer, rows, format))
      return { answer, rows, cursor: answer.headers.get('Sluice-Cursor') ?? undefined }
  }
  throw new RequestError('internal', `${connection.url} sent ${cutAnswersMax} answers that are cut: is a proxy between?`)
}

export function linesOf(bytes: Uint8Array): readonly Row[] {
  const rows: Row[] = []
  for (const line of utf8Text(bytes).split('\n')) if (line !== '') rows.push(JSON.parse(line) as Row)
  return rows
}

function isWhole({ bytes }: Answer, rows: number, format: PageFormat): boolean {
  if (format === 'arrow') return equalBytes(bytes.subarray(-endOfStream.length), endOfStream)
  let found = 0
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) found++
  return found === rows
}
