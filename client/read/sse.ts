/** Server-sent events out of bytes (WHATWG HTML, 9.2.6), whatever the pieces are; what is not whole at the end is dropped. */
export interface ServerEvent {
  readonly event: string
  /** Undefined where the event has no data: it only moves the id. */
  readonly data: string | undefined
  /** The last one that was seen. */
  readonly id: string | undefined
  readonly retryMs: number | undefined
}

export async function* serverEvents(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder()
  let rest = ''
  let event = ''
  let data: string[] = []
  let id: string | undefined
  let retryMs: number | undefined
  let isMoved = false
  for await (const piece of pieces) {
    rest += decoder.decode(piece, { stream: true })
    // a carriage return at the end may be half of a line's end
    const held = rest.endsWith('\r') ? '\r' : ''
    const lines = (held === '' ? rest : rest.slice(0, -1)).split(/\r\n|\n|\r/)
    rest = `${lines.pop() ?? ''}${held}`
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0 || isMoved)
          yield { event: event || 'message', data: data.length > 0 ? data.join('\n') : undefined, id, retryMs }
        event = ''
        data = []
        isMoved = false
        continue
      }
      const colon = line.indexOf(':')
      const name = colon === -1 ? line : line.slice(0, colon)
      const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
      if (name === 'data') data.push(value)
      else if (name === 'event') event = value
      else if (name === 'id' && !value.includes('\0')) {
        id = value
        isMoved = true
      } else if (name === 'retry' && /^[0-9]+$/.test(value)) retryMs = Number(value)
    }
  }
}
