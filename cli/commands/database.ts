/** `sluice db`: list, create, describe, drop. */
import type { Command } from 'commander'
import { call, callList } from '../http.ts'
import { show } from '../show.ts'
import { databasePath, drop, type Flags, remote } from './remote.ts'

export function addDatabase(top: Command): void {
  const db = top.command('db').description('databases')
  remote(db, 'list', 'list databases').action(async (flags: Flags) =>
    show(await callList(flags, '/v1/databases', 'databases'), flags),
  )
  remote(db, 'create <name>', 'create a database').action(async (name: string, flags: Flags) =>
    show(await call(flags, 'PUT', databasePath(name)), flags),
  )
  remote(db, 'describe <name>', 'describe a database').action(async (name: string, flags: Flags) =>
    show(await call(flags, 'GET', databasePath(name)), flags),
  )
  remote(db, 'drop <name>', 'drop a database')
    .option('--cascade', 'with its tables')
    .action(async (name: string, flags: Flags & { cascade?: boolean }) =>
      drop(flags, `${databasePath(name)}${flags.cascade ? '?cascade=true' : ''}`),
    )
}
