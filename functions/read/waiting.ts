/** Pages of a reader who waits for rows: at once where this process commits them, else by asking again, ever more slowly. */
import type { Page } from '../../core/log/read/page.ts'
import type { Table } from '../../core/model/table.ts'
import type { FunctionWorld } from '../world.ts'
import { type ReadQuery, readPage } from './read-query.ts'

export interface Patience {
  /** ms since 1970; passed: one page, as it is. */
  readonly until: number
  readonly signal: AbortSignal
}

const askMsMin = 250
const askMsMax = 1_000

/** The first page that has rows, or the last one before the time is up. Its query: what was asked for, from where the page begins. */
export async function awaitPage(
  world: FunctionWorld,
  table: Table,
  asked: ReadQuery,
  { until, signal }: Patience,
): Promise<{ readonly page: Page; readonly asked: ReadQuery }> {
  if (until <= world.clock.now()) return { page: await readPage(world.log, table, asked), asked }
  const watch = world.log.watch(table)
  try {
    let from = asked
    for (let askMs = askMsMin; ; ) {
      const page = await readPage(world.log, table, from)
      const left = until - world.clock.now()
      if (page.rows.length > 0 || left <= 0 || signal.aborted) return { page, asked: from }
      from = { ...asked, from: page.after(0) }
      page.release()
      if (!page.isCaughtUp) continue
      await watch.next(Math.min(left, askMs), signal)
      askMs = Math.min(askMsMax, askMs * 1.5)
    }
  } finally {
    watch.close()
  }
}
