/**
 * Verifies, when a pair of stores is first opened, that conditions hold: some servers accept a condition and ignore it
 * (B12), and every promise of ours stands on them. A store that fails is refused. A marker item remembers the success, so
 * that later opens cost one read. A crash in the middle leaves probe objects and items that nothing names.
 */
import { equalBytes, utf8 } from '../core/kernel/bytes.ts'
import { SluiceError } from '../core/kernel/errors.ts'
import { randomId } from '../core/kernel/ids.ts'
import type { Random } from '../core/kernel/random.ts'
import type { ItemStore } from '../core/ports/items.ts'
import type { ObjectStore } from '../core/ports/objects.ts'

const partition = 'probe'
const racers = 4

export async function probeStores(objects: ObjectStore, items: ItemStore, random: Random): Promise<void> {
  const marker = { partition, sort: `passed ${objects.uri('probe')}` }
  if ((await items.get(marker)) !== undefined) return
  await Promise.all([probeObjects(objects, random), probeItems(items, random)])
  await items.create({ key: marker, attributes: {} })
}

async function probeObjects(objects: ObjectStore, random: Random): Promise<void> {
  const key = `probe/${randomId(random)}`
  const bodies = Array.from({ length: racers }, (_, i) => utf8(`probe ${i}`))
  const outcomes = await Promise.all(bodies.map((body) => objects.create(key, body)))
  const winner = bodies[outcomes.indexOf('created')]
  demand(
    outcomes.filter((outcome) => outcome === 'created').length === 1 && winner !== undefined,
    'object',
    'one of several creates of a key wins',
  )
  demand((await objects.create(key, utf8('late'))) === 'exists', 'object', 'a create of an existing key is refused')
  demand(equalBytes(await objects.read(key), winner), 'object', 'a refused create changes nothing')
  await objects.delete([key])
}

async function probeItems(items: ItemStore, random: Random): Promise<void> {
  const key = { partition, sort: randomId(random) }
  const set = { n: { plus: 'n', by: 1n } }
  demand(!(await items.update({ key, set: { n: { value: 9n } } })).done, 'item', 'an update of an absent item is refused')
  demand((await items.get(key)) === undefined, 'item', 'an update never creates')
  const creates = await Promise.all(
    Array.from({ length: racers }, () => items.create({ key, attributes: { n: 0n, who: randomId(random) } })),
  )
  demand(creates.filter(({ done }) => done).length === 1, 'item', 'one of several creates of a key wins')
  demand(
    !(await items.update({ key, set, condition: { is: 'equal', path: 'n', value: 7n } })).done,
    'item',
    'an update whose condition fails is refused',
  )
  const held = await items.update({ key, set, condition: { is: 'equal', path: 'n', value: 0n } })
  // Refused after a lost answer: the read below tells whether it was done.
  demand(held.done || held.ambiguous === true, 'item', 'an update whose condition holds is done')
  demand(
    !(await items.delete(key, { is: 'equal', path: 'n', value: 0n })).done,
    'item',
    'a delete whose condition fails is refused',
  )
  demand(
    (await items.get(key))?.attributes.n === 1n,
    'item',
    'a strong read sees the last write, and refused writes change nothing',
  )
  await items.delete(key)
}

function demand(holds: boolean, store: 'object' | 'item', rule: string): asserts holds {
  if (holds) return
  const message = `the ${store} store breaks the rule that ${rule}: use one whose conditional writes hold`
  throw new SluiceError('not-supported', message, { effect: 'none', action: 'stop', facts: { store, rule } })
}
