/**
 * A turn: a writer of a keyed bucket that lost two races asks the others, by way of the head, to let it go first for a moment. It is
 * for efficiency alone: a commit is decided by the end that it saw, whoever has the turn, and a turn that is forgotten runs out.
 */
import { decodeHead, encodeTurn, type Head, headKey, turnAttribute } from '../../format/items/head.ts'
import type { BucketId } from '../../model/partition.ts'
import type { World } from '../../ports/world.ts'

const turnMs = 2_000
const lookMs = 20

/** The head as it is then; undefined: there is none. Another's turn that has not run out stays. */
export async function takeTurn(world: World, tableId: string, at: BucketId, holder: string): Promise<Head | undefined> {
  const now = world.clock.now()
  const { item } = await world.items.update({
    key: headKey(tableId, at),
    set: { [turnAttribute]: { value: encodeTurn({ holder, until: now + turnMs }) } },
    condition: {
      is: 'or',
      all: [
        { is: 'absent', path: turnAttribute },
        { is: 'less', path: `${turnAttribute}.x`, value: BigInt(now) },
      ],
    },
  })
  return item === undefined ? undefined : decodeHead(item)
}

/** Whether another may expect to go first. One that is further away than any turn lasts is of a clock that is ahead. */
export function isOthersTurn(world: World, { turn }: Head, holder: string): boolean {
  if (turn === undefined || turn.holder === holder) return false
  const left = turn.until - world.clock.now()
  return left > 0 && left <= turnMs
}

/** Waits a little; the caller looks at the head again. */
export const awaitTurn = (world: World): Promise<void> => world.clock.sleep(lookMs)
