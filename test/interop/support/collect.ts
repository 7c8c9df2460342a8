/**
 * Collects the orphans of one table, as its job does, on a clock that is two days ahead: whatever nothing refers to is old enough
 * then. Beside a server that has the same directory open. Prints how many objects went.
 *
 *   node test/interop/support/collect.ts <data directory> <database> <table> <table id>
 */
import { collect } from '../../../core/log/collect.ts'
import { systemClock, systemRandom } from '../../../functions/system.ts'
import { openStores } from '../../../stores/open.ts'

const aheadMs = 2 * 86_400_000

const [data = '', database = '', table = '', tableId = ''] = process.argv.slice(2)
const clock = { ...systemClock, now: () => Date.now() + aheadMs }
const stores = await openStores({ data, clock, random: systemRandom })
const queue = { send: async () => undefined }
const job = { kind: 'collect' as const, table: { database, table, tableId }, buckets: 1, marks: [] }
const { deleted } = await collect({ ...stores, queue, clock, random: systemRandom }, job)
await stores.close()
process.stdout.write(`${deleted}\n`)
