/** What a server says of itself and of a table: offsets, tier, cost, status. */
import type { Command } from 'commander'
import { call, callList } from '../http.ts'
import { show } from '../show.ts'
import { type Flags, remote, tablePath } from './remote.ts'

export function addServer(top: Command): void {
  remote(top, 'offsets <table>', 'offsets by bucket').action(async (table: string, flags: Flags) =>
    show(await callList(flags, `${tablePath(table)}/offsets`, 'buckets'), flags),
  )
  remote(top, 'tier <table>', 'bring a table into its lake now')
    .option('--wait <duration>', 'how long to wait', '20s')
    .action(async (table: string, flags: Flags & { wait: string }) =>
      show(await call(flags, 'POST', `${tablePath(table)}/tier?wait=${encodeURIComponent(flags.wait)}`), flags),
    )
  remote(top, 'cost', 'storage requests of the server and their price').action(async (flags: Flags) =>
    show(await call(flags, 'GET', '/v1/cost'), flags),
  )
  remote(top, 'status', 'is the server there, and what is it').action(async (flags: Flags) =>
    show(await call(flags, 'GET', '/v1'), flags),
  )
}
