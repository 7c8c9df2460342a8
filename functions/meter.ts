/**
 * What this process answers, by call and status, and how many rows it took. Counters only grow; a restart begins at
 * zero, as Prometheus expects. Storage requests are counted in stores/decorators/count.ts.
 */
interface Answered {
  count: number
  seconds: number
}

export class Meter {
  readonly #counters = new Map<string, number>()
  readonly #answered = new Map<string, Answered>()

  add(name: string, count: number): void {
    this.#counters.set(name, (this.#counters.get(name) ?? 0) + count)
  }

  /** What was added, which then counts no more: for one who adds it elsewhere. */
  take(): Readonly<Record<string, number>> {
    const all = Object.fromEntries(this.#counters)
    this.#counters.clear()
    return all
  }

  answered(call: string, status: number, ms: number): void {
    const key = `call="${call}",status="${status}"`
    const found = this.#answered.get(key)
    if (found === undefined) this.#answered.set(key, { count: 1, seconds: ms / 1000 })
    else {
      found.count++
      found.seconds += ms / 1000
    }
  }

  /** Prometheus text. `storage`: requests and amounts by name. */
  text(storage: Readonly<Record<string, number>>): string {
    const lines = ['# TYPE sluice_http_requests_total counter']
    for (const [key, { count }] of this.#answered) lines.push(`sluice_http_requests_total{${key}} ${count}`)
    lines.push('# TYPE sluice_http_request_seconds_total counter')
    for (const [key, { seconds }] of this.#answered) lines.push(`sluice_http_request_seconds_total{${key}} ${seconds.toFixed(6)}`)
    lines.push('# TYPE sluice_storage_requests_total counter')
    for (const [name, count] of Object.entries(storage))
      if (!name.includes('/')) lines.push(`sluice_storage_requests_total{operation="${name}"} ${count}`)
    lines.push('# TYPE sluice_storage_amount_total counter')
    for (const [name, count] of Object.entries(storage))
      if (name.includes('/')) lines.push(`sluice_storage_amount_total{of="${name}"} ${count}`)
    for (const [name, count] of this.#counters) {
      const metric = `sluice_${name.replaceAll(/[.-]/g, '_')}_total`
      lines.push(`# TYPE ${metric} counter`, `${metric} ${count}`)
    }
    return `${lines.join('\n')}\n`
  }
}
