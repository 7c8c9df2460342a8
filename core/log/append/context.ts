/** What the steps of one group share: the world, the newest state of the table, and what the process remembers. */
import type { Table } from '../../model/table.ts'
import type { World } from '../../ports/world.ts'
import type { MarkKeeper } from './mark-keeper.ts'
import type { Memos } from './memos.ts'

export interface GroupContext {
  readonly world: World
  readonly table: Table
  readonly memos: Memos
  readonly marks: MarkKeeper
}
