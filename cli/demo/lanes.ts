/**
 * The producers of the demo, in a worker thread of their own: lanes that send every body through HTTP, each lane a producer
 * id whose sequences count its bodies. The progress file beside the data is written after an ack; what was acked but not
 * written down is sent again under the same sequence, and the log answers that it has it. Half-way the table gets a
 * column more.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { hourColumn, loadFlights } from './flights.ts'
import { newProgress, readProgress, writeProgress } from './progress.ts'
import { call, sendArrow, type TableBody, tablePath } from './server-calls.ts'
import type { Sums } from './sums.ts'

export interface LanesInput {
  readonly url: string
  readonly progressFile: string
  readonly lanes: number
}

export type LanesMessage =
  | { readonly kind: 'loaded'; readonly rows: number; readonly sent: number }
  | { readonly kind: 'acked'; readonly rows: number }
  | { readonly kind: 'done'; readonly sums: Sums }
  | { readonly kind: 'failed'; readonly message: string }

async function run(input: LanesInput): Promise<void> {
  const flights = loadFlights()
  const progress = readProgress(input.progressFile) ?? newProgress(input.lanes)
  post({ kind: 'loaded', rows: flights.rows, sent: progress.rows })
  const upTo = (end: number): Promise<unknown> =>
    Promise.all(
      progress.next.map(async (_, lane) => {
        for (;;) {
          const sequence = progress.next[lane] ?? 0
          const index = sequence * input.lanes + lane
          if (index >= end) return
          const { bytes, rows } = flights.body(index)
          await sendArrow(input.url, tablePath, { producer: `lane-${lane}`, sequence, bytes })
          progress.next[lane] = sequence + 1
          progress.rows += rows
          writeProgress(input.progressFile, progress)
          post({ kind: 'acked', rows })
        }
      }),
    )
  await upTo(flights.half)
  await addColumn(input.url)
  await upTo(flights.bodies)
  post({ kind: 'done', sums: flights.sums() })
}

/** Once; the lake gets all that was sent before it. */
async function addColumn(url: string): Promise<void> {
  const { columns } = await call<TableBody>(url, 'GET', tablePath)
  if (columns.some(({ name }) => name === hourColumn.name)) return
  await call(url, 'POST', `${tablePath}/tier?wait=20s`)
  await call(url, 'PATCH', tablePath, { addColumns: [hourColumn] })
}

const post = (message: LanesMessage): void => parentPort?.postMessage(message)

run(workerData as LanesInput).catch((error: unknown) =>
  post({ kind: 'failed', message: error instanceof Error ? error.message : String(error) }),
)
