/** Bugs of keyed tables: of commits on an end that was seen, of folds, of reads. */
import type { PlantedBug } from './plant.ts'

const group = 'core/kv/upsert/group.ts'
const prepare = 'core/kv/upsert/prepare.ts'
const fold = 'core/kv/fold/fold.ts'
const publish = 'core/kv/fold/publish.ts'

export const keyedBugs: readonly PlantedBug[] = [
  {
    id: 'B26',
    what: 'an absolute origin in a batch that is committed again at another base',
    file: prepare,
    find: 'encodeRecords(table, part.encoded, records)',
    replace: `encodeRecords(table, part.encoded, records.map((record, i) =>
        record.prev !== null && record.prev < 0n ? { ...record, prev: seen + BigInt(i) + record.prev } : record))`,
    scenario: 'keyed',
    seedsMax: 100,
  },
  {
    id: 'V1',
    what: 'a commit rests on an end that is not its own any more',
    file: 'core/log/append/update.ts',
    find: "...(plan.seen === undefined ? [] : [{ is: 'equal', path: 'e', value: plan.seen } as const]),",
    replace: '',
    scenario: 'keyed',
    seedsMax: 100,
  },
  {
    id: 'V2',
    what: 'a stale delta: what came in between is taken to leave the keys alone',
    file: group,
    find: 'const isSame = offsets.every((offset, i) => offset === now.kept[i])',
    replace: 'const isSame = offsets.length > 0',
    scenario: 'keyed',
    seedsMax: 100,
  },
  {
    id: 'V3',
    what: 'a lost tombstone: a merge forgets what is deleted while a level below has it',
    file: 'core/kv/fold/levels.ts',
    find: 'isLowest: !runs.some((run) => run.level > level && overlaps(run, span))',
    replace: 'isLowest: span !== undefined',
    scenario: 'keyed',
    seedsMax: 100,
  },
  {
    id: 'V4',
    what: 'a resurrected key: a fold leaves out what was deleted',
    file: fold,
    find: 'writeRuns(writing, 0, runs.length === 0 ? live(records) : records)',
    replace: 'writeRuns(writing, 0, live(records))',
    scenario: 'keyed',
    seedsMax: 100,
  },
  {
    id: 'V5',
    what: 'a snapshot ahead of its log: retention does not ask how far the snapshot is',
    file: 'core/log/keep/retain.ts',
    find: ' && item.end <= run.folded',
    replace: '',
    scenario: 'keyed',
    seedsMax: 300,
  },
  {
    id: 'V6',
    what: 'ABA on the manifest: a publication does not name the version that it was made of',
    file: publish,
    find: `        { is: 'equal', path: 'v', value: mine.version },
        { is: 'equal', path: 'e', value: mine.epoch },
`,
    replace: '',
    scenario: 'keyed',
    seedsMax: 300,
  },
  {
    id: 'V7',
    what: 'claims of folds without a lease: triggers fence each other',
    file: 'core/log/claim.ts',
    find: `  if (seen.lease >= now) return undefined
  const holder = randomId(world.random)
  const update: Update = {
    key,
    set: { e: { value: seen.epoch + 1n }, h: { value: holder }, l: { value: BigInt(now + leaseMs) } },
    condition: {
      is: 'and',
      all: [
        { is: 'equal', path: 'e', value: seen.epoch },
        { is: 'less', path: 'l', value: BigInt(now) },
      ],
    },
  }
`,
    replace: `  const holder = randomId(world.random)
  const update: Update = {
    key,
    set: { e: { value: seen.epoch + 1n }, h: { value: holder }, l: { value: BigInt(now + leaseMs) } },
    condition: { is: 'equal', path: 'e', value: seen.epoch },
  }
`,
    scenario: 'keyed',
    seedsMax: 300,
  },
  {
    id: 'V8',
    what: 'a lookup of a bucket that is known asks no head how far it is',
    file: 'core/kv/lookup.ts',
    find: 'const isKnown = stale && bucket.end !== undefined',
    replace: 'const isKnown = bucket.end !== undefined',
    scenario: 'keyed',
    seedsMax: 100,
  },
  {
    id: 'V9',
    what: 'collect does not see what a snapshot refers to',
    file: 'core/log/collect.ts',
    find: 'if (kv !== undefined) await unmarkSnapshots(world, table, at, kv, candidates)',
    replace: 'void kv',
    scenario: 'keyed',
    seedsMax: 100,
  },
  {
    id: 'V10',
    what: 'a range of numbers is handed out twice: an update whose answer was lost is taken for one that happened',
    file: 'core/catalog/auto-increment.ts',
    find: `  }) // COMMIT POINT
  const { i, x, n } = item?.attributes ?? {}`,
    replace: `  }).catch(async () => ({ done: true, item: await world.items.get(tableKey(table.database, table.name)) }))
  const { i, x, n } = item?.attributes ?? {}`,
    scenario: 'keyed',
    seedsMax: 300,
  },
  {
    id: 'V11',
    what: 'an update of a row draws a number as an insert does',
    file: 'core/kv/merge/merger.ts',
    find: "return kind === 'upsert' ? upsert(old, row, targets) : emptied(columns, old, targets)",
    replace:
      "return kind === 'upsert' ? upsert(inserted(columns, old, undefined, draw), row, targets) : emptied(columns, old, targets)",
    scenario: 'keyed',
    seedsMax: 100,
  },
  {
    id: 'V12',
    what: 'a lookup that inserts writes over a row that came meanwhile',
    file: 'core/kv/merge/merger.ts',
    find: "if (isThere && (mergeEngine === 'first-row' || targets?.isKeyOnly === true)) return 'old'",
    replace: "if (isThere && mergeEngine === 'first-row') return 'old'",
    scenario: 'keyed',
    seedsMax: 300,
  },
  {
    id: 'V13',
    what: 'a lookup that inserts answers the row that it would have inserted, not the one that stands',
    file: 'core/kv/insert.ts',
    find: '      assertDone(appended)',
    replace: `      assertDone(appended)
      if (attempt === 1) return { rows: rowsOf(keys).map((row, i) => found[i] ?? row), buckets, inserted }`,
    scenario: 'keyed',
    seedsMax: 100,
  },
  {
    id: 'V14',
    what: 'a page border tears a change: an update has no row before where its first half is on the page before',
    file: 'core/kv/binlog.ts',
    find: 'return this.#halves.get(bucket) ?? this.#readBefore(fetched, offsetAt(fetched, index))',
    replace:
      'return this.#halves.get(bucket) ?? (fetched.rows > index ? undefined : this.#readBefore(fetched, offsetAt(fetched, index)))',
    scenario: 'keyed',
    seedsMax: 100,
  },
  {
    id: 'V15',
    what: 'retention cuts the changelog behind the snapshot that a scan has leased',
    file: 'core/format/items/kv.ts',
    find: 'snapshotsIn(item, now).reduce<Offset>((least, { upTo }) => (upTo < least ? upTo : least), item.upTo)',
    replace: 'snapshotsIn(item, now).reduce<Offset>((least) => least, item.upTo)',
    scenario: 'keyed',
    seedsMax: 300,
  },
  {
    id: 'V16',
    what: 'collect does not see what a scan has leased',
    file: 'core/log/collect.ts',
    find: 'for (const { manifest } of snapshotsIn(item, world.clock.now())) {',
    replace: 'for (const { manifest } of snapshotsIn(item, world.clock.now()).slice(0, 1)) {',
    scenario: 'keyed',
    seedsMax: 100,
  },
  {
    id: 'V17',
    what: 'a first look into runs takes the oldest state of a key',
    file: 'core/kv/find.ts',
    find: 'if (!newest.has(i)) newest.set(i, state)',
    replace: 'newest.set(i, state)',
    scenario: 'keyed',
    seedsMax: 100,
  },
  {
    id: 'V17b',
    what: 'a copy of a manifest is taken for the newest one, whichever it is of',
    file: 'core/kv/ahead.ts',
    find: 'copy?.name === nameOf(item.manifest.object)',
    replace: 'copy?.name !== nameOf(item.manifest.object).slice(1)',
    scenario: 'keyed',
    seedsMax: 100,
  },
  {
    id: 'V18',
    what: 'a turn that nobody heeds: who is far away loses every race',
    file: 'core/log/head/turn.ts',
    find: 'return left > 0 && left <= turnMs',
    replace: 'return left > turnMs',
    scenario: 'keyed',
    seedsMax: 60,
  },
  {
    id: 'V18b',
    what: 'a writer that loses every race asks for no turn',
    file: 'core/kv/upsert/group.ts',
    find: 'const head = await takeTurn(world, table.tableId, idOf(at), holder)',
    replace: 'const head = lost < 0 ? await takeTurn(world, table.tableId, idOf(at), holder) : undefined',
    scenario: 'keyed',
    seedsMax: 60,
  },
]
