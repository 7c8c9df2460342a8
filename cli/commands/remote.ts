/** What the commands share that talk HTTP to a server: their options, the paths of things, waiting for a drop. */
import { type Command, InvalidArgumentError } from 'commander'
import { Failure } from '../failure.ts'
import { call, type Remote } from '../http.ts'

export interface Flags {
  readonly url: string
  readonly json?: boolean
}

export function remote(parent: Command, nameAndArguments: string, description: string): Command {
  return parent
    .command(nameAndArguments)
    .description(description)
    .option('--url <url>', 'of the server', process.env.SLUICE_URL ?? 'http://127.0.0.1:8080')
    .option('--json', 'print JSON')
}

export const databasePath = (name: string): string => `/v1/databases/${encodeURIComponent(name)}`

/** `db.table` */
export function tablePath(text: string): string {
  const dot = text.indexOf('.')
  if (dot === -1) throw new Failure(`name a table as database.table, not ${JSON.stringify(text)}`, 2)
  return `${databasePath(text.slice(0, dot))}/tables/${encodeURIComponent(text.slice(dot + 1))}`
}

/** Of an option that may come many times. */
export const each = (value: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), value]

/** Of an option that may come many times, as `name=value`, each name once. The value may have more of them. */
export function eachPair(text: string, before: Readonly<Record<string, string>> | undefined): Readonly<Record<string, string>> {
  const equals = text.indexOf('=')
  if (equals < 1) throw new InvalidArgumentError('It must be like name=value.')
  const name = text.slice(0, equals)
  if (before !== undefined && Object.hasOwn(before, name)) throw new InvalidArgumentError(`${name} is there twice.`)
  return { ...before, [name]: text.slice(equals + 1) }
}

/** Repeats it while heads are being closed. */
export async function drop(flags: Remote, path: string): Promise<void> {
  for (let attempt = 0; attempt < 60; attempt++) {
    const answer = await call(flags, 'DELETE', `${path}${path.includes('?') ? '&' : '?'}ifExists=${attempt > 0}`)
    if (answer.status === 204) return
  }
  throw new Failure('it is still being dropped: repeat the command')
}
