/** A producer that never gives up: it sends the same sequence until it is acked, whatever happens to the server meanwhile. */
export class Lane {
  readonly #lane: number
  readonly #tableUrl: () => string
  /** Values in the order of their acks, with where they were acked. */
  readonly acked: { readonly value: number; readonly bucket: number; readonly offset: bigint }[] = []
  #sequence = 0

  constructor(lane: number, tableUrl: () => string) {
    this.#lane = lane
    this.#tableUrl = tableUrl
  }

  async run(stopping: () => boolean): Promise<void> {
    while (!stopping()) {
      const values = Array.from(
        { length: 1 + (this.#sequence % 20) },
        (_, index) => this.#lane * 1e9 + this.#sequence * 100 + index,
      )
      await this.#untilAcked(values)
      this.#sequence += 1
    }
  }

  async #untilAcked(values: readonly number[]): Promise<void> {
    for (;;) {
      const answer = await this.#send(values).catch((error: unknown) => {
        if (error instanceof Unexpected) throw error
        return undefined
      })
      if (answer === undefined) {
        await new Promise((resolve) => setTimeout(resolve, 20))
        continue
      }
      const [part] = answer.buckets
      if (part === undefined) throw new Error('an ack names no bucket')
      const base = BigInt(part.baseOffset)
      for (const [index, value] of values.entries()) this.acked.push({ value, bucket: part.bucket, offset: base + BigInt(index) })
      return
    }
  }

  async #send(values: readonly number[]): Promise<{ buckets: { bucket: number; baseOffset: string }[] } | undefined> {
    const response = await fetch(`${this.#tableUrl()}/records`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-ndjson',
        'producer-id': `lane-${this.#lane}`,
        'producer-seq': String(this.#sequence),
      },
      body: values.map((value) => `{"v":${value},"lane":${this.#lane}}\n`).join(''),
      signal: AbortSignal.timeout(10_000),
    })
    const text = await response.text()
    if (response.ok) return JSON.parse(text)
    if (response.status === 503 || response.status === 429) return undefined
    throw new Unexpected(`lane ${this.#lane}, sequence ${this.#sequence}: ${response.status} ${text}`)
  }
}

class Unexpected extends Error {}
