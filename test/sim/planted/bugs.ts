/** The bugs of promises.md as one place of the source each. Those of the lake and of jobs are in lake-bugs.ts, of readers in read-bugs.ts. */
import { engineBugs } from './engine-bugs.ts'
import { externalBugs } from './external-bugs.ts'
import { keepBugs } from './keep-bugs.ts'
import { keyedBugs } from './keyed-bugs.ts'
import { lakeBugs } from './lake-bugs.ts'
import type { PlantedBug } from './plant.ts'
import { readBugs } from './read-bugs.ts'
import { upkeepBugs } from './upkeep-bugs.ts'

const commit = 'core/log/append/commit.ts'
const update = 'core/log/append/update.ts'

const logBugs: readonly PlantedBug[] = [
  {
    id: 'B1',
    what: 'an ambiguous commit is treated as a failure, its object cleaned up',
    file: commit,
    find: `      this.#settleAll(withEffect(known, 'unknown'))
    }`,
    replace: `      const { table, world } = this.#context
      const { directory, label, random, inline } = this.#plan.object
      const key = \`t/\${table.tableId}/\${directory.toString(16).padStart(2, '0')}/\${label}-\${random}\${inline ? 'i' : ''}\`
      await world.objects.delete([key]).catch(() => undefined)
      this.#settleAll(withEffect(known, 'none'))
    }`,
    scenario: 'append',
    seedsMax: 300,
  },
  {
    id: 'B2',
    what: 'an ambiguous commit is treated as a success',
    file: commit,
    find: `      this.#settleAll(withEffect(known, 'unknown'))
    }`,
    replace: `      const last = this.#attempts.at(-1)
      if (last !== undefined) this.#accept(last, this.#memo.head.end)
    }`,
    scenario: 'append',
    seedsMax: 300,
  },
  {
    id: 'B3',
    what: 'a retry of its own conditional write is read as a conflict',
    file: commit,
    find: "    const own = await this.#acceptOwn(head)\n    if (own === 'accepted') return\n",
    replace: `    const own: string = 'absent'
    if (ambiguous) {
      for (const member of this.#pending) this.#outcomes.set(member, 'rewrite')
      this.#pending = []
      return
    }
`,
    scenario: 'append',
    seedsMax: 300,
  },
  {
    id: 'B3b',
    what: 'a repeated update appends rows without a producer again, after their entry has spilled',
    file: update,
    find: '[unspilled(relied.end)]',
    replace: '[] as Condition[]',
    scenario: 'spill',
    seedsMax: 1_000,
  },
  {
    id: 'B4',
    what: 'a stalled writer commits an object that was collected',
    file: update,
    find: "        { is: 'less', path: 'g', value: plan.object.label },\n",
    replace: '',
    scenario: 'collect',
    seedsMax: 300,
  },
  {
    id: 'B7',
    what: 'a late removal by name takes the table that was created again',
    file: 'core/catalog/tables.ts',
    find: "await world.items.delete(tableKey(table.database, table.name), { is: 'equal', path: 'i', value: table.tableId }) // COMMIT POINT",
    replace: 'await world.items.delete(tableKey(table.database, table.name))',
    scenario: 'drop',
    seedsMax: 1_000,
  },
  {
    id: 'B8',
    what: 'offsets are fixed before the data is durable',
    file: 'core/log/append/group.ts',
    find: "if ((await world.objects.create(objectKey(table.tableId, plan.object), plan.pieces)) === 'created') return plan",
    replace: `void world.objects.create(objectKey(table.tableId, plan.object), plan.pieces).catch(() => undefined)
      return plan`,
    scenario: 'append',
    seedsMax: 300,
  },
  {
    id: 'B9',
    what: 'an offset goes through a double',
    file: 'core/kernel/ids.ts',
    find: 'export const offsetOf = (value: bigint | number): Offset => BigInt(value) as Offset',
    replace: 'export const offsetOf = (value: bigint | number): Offset => BigInt(Number(value)) as Offset',
    scenario: 'append',
    seedsMax: 300,
  },
  {
    id: 'B9b',
    what: 'a sequence is stored in 32 bits',
    file: 'core/format/items/head.ts',
    find: '  return { e: state.epoch, s: state.sequence,',
    replace: '  return { e: state.epoch, s: BigInt.asIntN(32, state.sequence),',
    scenario: 'producers',
    seedsMax: 300,
  },
  {
    id: 'B11',
    what: 'the dedupe window is shorter than the retry horizon',
    file: 'core/log/head/evict.ts',
    find: 'world.clock.now() + limits.dedupeHorizonMs + dayMs',
    replace: 'world.clock.now() + 10 * 60_000 + 0 * (limits.dedupeHorizonMs + dayMs)',
    scenario: 'evict',
    seedsMax: 1_000,
  },
  {
    id: 'B12',
    what: 'the store silently ignores the condition',
    file: 'test/sim/items.ts',
    find: 'if (there === undefined || (update.condition !== undefined && !holds(update.condition, there.attributes)))',
    replace: 'if (there === undefined)',
    scenario: 'append',
    seedsMax: 300,
  },
  {
    id: 'B13',
    what: 'damage in a range that was read is accepted',
    file: 'core/format/segment/block.ts',
    find: 'if (bytes.length !== end - start || crc32(bytes) !== crc) throw',
    replace: 'if (bytes.length !== end - start || crc < 0) throw',
    scenario: 'append',
    seedsMax: 1_000,
  },
  {
    id: 'B15',
    what: 'a producer that was served once waits for ever',
    file: 'core/log/append/batcher.ts',
    find: 'if (producer !== undefined) this.#busyProducers.delete(producer.id)',
    replace: 'void producer',
    scenario: 'producers',
    seedsMax: 300,
  },
  {
    id: 'B16',
    what: 'an eventually consistent read decides where a bucket ends',
    file: 'core/log/head/birth.ts',
    find: 'const item = await world.items.get(headKey(tableId, at))',
    replace: "const item = await world.items.get(headKey(tableId, at), 'eventual')",
    scenario: 'append',
    seedsMax: 300,
  },
  {
    id: 'B16b',
    what: 'an eventually consistent read decides whether a producer is known',
    file: 'core/log/head/evict.ts',
    find: 'const item = await world.items.get(evictedKey(table.tableId, at, producer))',
    replace: "const item = await world.items.get(evictedKey(table.tableId, at, producer), 'eventual')",
    scenario: 'evict',
    seedsMax: 1_000,
  },
  {
    id: 'B17',
    what: 'a request is answered as failed while its work runs on and resumes later',
    file: 'core/log/log.ts',
    find: 'return this.track(table, () => this.#appender.append(table, rows, request.producer))',
    replace: `const late = this.#world.clock.sleep(2_000).then((): never => {
      throw new SluiceError('timeout', 'the append took too long', { effect: 'none' })
    })
    return this.track(table, () => Promise.race([this.#appender.append(table, rows, request.producer), late]))`,
    scenario: 'append',
    seedsMax: 300,
  },
  {
    id: 'B19',
    what: 'offset 0 on an error path',
    file: 'core/log/append/resolve.ts',
    find: '    if (items.length < pageItems) return notThere\n',
    replace: '    if (items.length < pageItems) return offsetOf(0)\n',
    scenario: 'all',
    seedsMax: 300,
  },
  {
    id: 'B22',
    what: 'the retry of a request without a key lands in another bucket',
    file: 'core/log/route.ts',
    find: '  if (producer === undefined) return rotate() % count\n',
    replace: '  if (producer === undefined || count > 0) return rotate() % count\n',
    scenario: 'append',
    seedsMax: 300,
  },
  {
    id: 'B23',
    what: 'an evicted producer is forgotten',
    file: commit,
    find: '    if (head.evictions === 0n) return\n',
    replace: '    if (head.evictions >= 0n) return\n',
    scenario: 'evict',
    seedsMax: 300,
  },
  {
    id: 'B25',
    what: 'a commit acks into a dropped head',
    file: update,
    find: "        { is: 'equal', path: 'o', value: 1n },\n",
    replace: '',
    scenario: 'drop',
    seedsMax: 300,
  },
]

export const plantedBugs: readonly PlantedBug[] = [
  ...logBugs,
  ...lakeBugs,
  ...readBugs,
  ...keepBugs,
  ...upkeepBugs,
  ...engineBugs,
  ...externalBugs,
  ...keyedBugs,
]
