/** `sluice partition`: list, add, drop. The name is the rest of the path: its `/` and `=` stand, all else is encoded. */
import type { Command } from 'commander'
import { call, callList } from '../http.ts'
import { show } from '../show.ts'
import { drop, type Flags, remote, tablePath } from './remote.ts'

export function addPartition(top: Command): void {
  const partition = top.command('partition').description('partitions of a table, named k=v/k2=v2')
  const path = (table: string, name: string) =>
    `${tablePath(table)}/partitions/${encodeURIComponent(name).replaceAll('%2F', '/').replaceAll('%3D', '=')}`
  remote(partition, 'list <table>', 'list partitions').action(async (table: string, flags: Flags) =>
    show(await callList(flags, `${tablePath(table)}/partitions`, 'partitions'), flags),
  )
  remote(partition, 'add <table> <name>', 'add a partition').action(async (table: string, name: string, flags: Flags) =>
    show(await call(flags, 'PUT', path(table, name)), flags),
  )
  remote(partition, 'drop <table> <name>', 'drop a partition with its rows')
    .option('--keep-lake', 'keep its rows in the lake')
    .action(async (table: string, name: string, flags: Flags & { keepLake?: boolean }) =>
      drop(flags, `${path(table, name)}${flags.keepLake ? '?keepLake=true' : ''}`),
    )
}
