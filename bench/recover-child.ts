/**
 * A server whose keyed table is not folded: this process holds the claim of every bucket, as a worker that hangs does.
 *
 *   node bench/recover-child.ts <folder>
 */
import { findTable } from '../core/catalog/tables.ts'
import type { KvItem } from '../core/format/items/kv.ts'
import { releaseFold, takeFold } from '../core/kv/fold/publish.ts'
import { defaultKvConfig } from '../core/kv/kv.ts'
import { readHead } from '../core/log/head/birth.ts'
import { idOf, unpartitioned } from '../core/model/partition.ts'
import { serveConfig } from '../serve/config.ts'
import { startServer } from '../serve/start.ts'

/** Well within a claim's lease. */
const renewMs = 20_000
const [data = '.'] = process.argv.slice(2)
/** All tails stay known, so that the load is not slowed by what is measured afterwards. */
const kv = { ...defaultKvConfig, cacheBytesMax: 2 ** 31 }
const { world, url } = await startServer(serveConfig({ port: '0', data }, {}), { kv })
const held = new Map<number, KvItem>()
console.log(`listening on ${url}`)
setInterval(() => hold().catch(failed), renewMs)
while (held.size === 0) {
  await hold()
  await world.clock.sleep(10)
}

async function hold(): Promise<void> {
  const table = await findTable(world, 'bench', 'keyed')
  if (table === undefined) return
  for (let bucket = 0; bucket < table.buckets.count; bucket++) {
    const at = { partition: unpartitioned, bucket }
    const mine = held.get(bucket)
    if (mine !== undefined) await releaseFold(world, table, idOf(at), mine)
    const head = await readHead(world, table.tableId, idOf(at))
    if (head === undefined) return
    const taken = await takeFold(world, table, at, head.start)
    if (taken === undefined) throw new Error(`bucket ${bucket} is folded by another`)
    held.set(bucket, taken)
  }
}

function failed(error: unknown): void {
  console.error(error)
  process.exit(1)
}
