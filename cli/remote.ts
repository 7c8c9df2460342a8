/** The commands that talk HTTP to a server: databases, tables, rows, offsets, tier, cost, status. */
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { Failure } from './failure.ts'
import { call, type Remote } from './http.ts'
import { produceFile } from './produce.ts'
import { show } from './show.ts'

interface Flags {
  readonly url: string
  readonly json?: boolean
}

export function addRemoteCommands(top: Command): void {
  addDatabase(top)
  addTable(top)
  addRows(top)
  remote(top, 'offsets <table>', 'offsets by bucket').action(async (table: string, flags: Flags) =>
    show(await call(flags, 'GET', `${tablePath(table)}/offsets?limit=1000`), flags),
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

function remote(parent: Command, nameAndArguments: string, description: string): Command {
  return parent
    .command(nameAndArguments)
    .description(description)
    .option('--url <url>', 'of the server', process.env.SLUICE_URL ?? 'http://127.0.0.1:8080')
    .option('--json', 'print JSON')
}

function addDatabase(top: Command): void {
  const db = top.command('db').description('databases')
  const path = (name: string) => `/v1/databases/${encodeURIComponent(name)}`
  remote(db, 'list', 'list databases').action(async (flags: Flags) =>
    show(await call(flags, 'GET', '/v1/databases?limit=1000'), flags),
  )
  remote(db, 'create <name>', 'create a database').action(async (name: string, flags: Flags) =>
    show(await call(flags, 'PUT', path(name)), flags),
  )
  remote(db, 'describe <name>', 'describe a database').action(async (name: string, flags: Flags) =>
    show(await call(flags, 'GET', path(name)), flags),
  )
  remote(db, 'drop <name>', 'drop a database')
    .option('--cascade', 'with its tables')
    .action(async (name: string, flags: Flags & { cascade?: boolean }) =>
      drop(flags, `${path(name)}${flags.cascade ? '?cascade=true' : ''}`),
    )
}

function addTable(top: Command): void {
  const table = top.command('table').description('tables, as database.table')
  remote(table, 'list <database>', 'list tables').action(async (db: string, flags: Flags) =>
    show(await call(flags, 'GET', `/v1/databases/${encodeURIComponent(db)}/tables?limit=1000`), flags),
  )
  remote(table, 'create <table> <specification>', 'create a table; the specification is JSON, or @file').action(
    async (name: string, specification: string, flags: Flags) =>
      show(await call(flags, 'PUT', tablePath(name), await text(specification)), flags),
  )
  remote(table, 'describe <table>', 'describe a table').action(async (name: string, flags: Flags) =>
    show(await call(flags, 'GET', tablePath(name)), flags),
  )
  remote(table, 'alter <table> <change>', 'alter a table; the change is JSON, or @file').action(
    async (name: string, change: string, flags: Flags) =>
      show(await call(flags, 'PATCH', tablePath(name), await text(change)), flags),
  )
  remote(table, 'drop <table>', 'drop a table').action(async (name: string, flags: Flags) => drop(flags, tablePath(name)))
}

function addRows(top: Command): void {
  remote(top, 'produce <table> [file]', 'produce NDJSON or Arrow from a file or standard input').action(
    async (table: string, file: string | undefined, flags: Flags) => {
      const source = file === undefined || file === '-' ? process.stdin : createReadStream(file)
      show(await produceFile(flags, `${tablePath(table)}/records`, source, file?.endsWith('.arrow') ?? false), flags)
    },
  )
  remote(top, 'fetch <table>', 'read the log of a bucket')
    .option('--bucket <n>', 'the bucket', '0')
    .option('--from <position>', 'earliest, latest or a number', 'earliest')
    .option('--limit <n>', 'rows at most', '1000')
    .action(async (table: string, flags: Flags & { bucket: string; from: string; limit: string }) => {
      const query = new URLSearchParams({ bucket: flags.bucket, offset: flags.from, limit: flags.limit })
      const answer = await call(flags, 'GET', `${tablePath(table)}/log?${query}`)
      process.stdout.write(answer.bytes)
    })
}

/** `db.table` */
function tablePath(text: string): string {
  const dot = text.indexOf('.')
  if (dot === -1) throw new Failure(`name a table as database.table, not ${JSON.stringify(text)}`, 2)
  return `/v1/databases/${encodeURIComponent(text.slice(0, dot))}/tables/${encodeURIComponent(text.slice(dot + 1))}`
}

async function text(argument: string): Promise<string> {
  return argument.startsWith('@') ? readFile(argument.slice(1), 'utf8') : argument
}

/** Repeats it while heads are being closed. */
async function drop(flags: Remote, path: string): Promise<void> {
  for (let attempt = 0; attempt < 60; attempt++) {
    const answer = await call(flags, 'DELETE', `${path}${path.includes('?') ? '&' : '?'}ifExists=${attempt > 0}`)
    if (answer.status === 204) return
  }
  throw new Failure('it is still being dropped: repeat the command')
}
