/** A process of sqlite.test.ts: `node sqlite.child.ts <file> <count>` adds one to the counter, count times, by compare-and-set. */
import { argv } from 'node:process'
import { openSqlite } from './sqlite.ts'

const [, , path = '', count = '0'] = argv
const items = openSqlite(path)
const key = { partition: 'p', sort: 'counter' }
let seen = 0n
for (let done = 0; done < Number(count); ) {
  const result = await items.update({ key, set: { n: { value: seen + 1n } }, condition: { is: 'equal', path: 'n', value: seen } })
  seen = result.item?.attributes.n as bigint
  if (result.done) done++
}
await items.close()
