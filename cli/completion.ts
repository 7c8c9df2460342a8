/**
 * `sluice completion`: scripts that ask the command itself what may come next, by `sluice complete -- <words>`. It knows commands and
 * flags from the commands themselves, and names from the server, if that answers soon.
 */
import type { Argument, Command, Option } from 'commander'
import { call, type Remote } from './http.ts'

export const shells = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof shells)[number]

/** `eval "$(sluice completion bash)"`, `… zsh`, or `sluice completion fish | source`. */
export function completionScript(shell: Shell): string {
  return scripts[shell]
}

const scripts: Readonly<Record<Shell, string>> = {
  bash: `_sluice() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$(sluice complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _sluice sluice
`,
  zsh: `#compdef sluice
_sluice() {
  local -a found
  found=("\${(@f)$(sluice complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${found[1]}" ]]; then compadd -a found; else _files; fi
}
compdef _sluice sluice
`,
  fish: `function __sluice_complete
  set -l words (commandline -opc)
  set -l last (commandline -ct)
  set -l found (sluice complete -- $words[2..-1] "$last" 2>/dev/null)
  if test (count $found) -gt 0
    printf '%s\\n' $found
  else
    __fish_complete_path "$last"
  end
end
complete -c sluice -f -a '(__sluice_complete)'
`,
}

/** What may stand where the last word stands; nothing where a file may. */
export async function completions(top: Command, words: readonly string[]): Promise<readonly string[]> {
  const last = words.at(-1) ?? ''
  const place = placeOf(top, words.slice(0, -1))
  const found = await candidates(place, last)
  return found.filter((each) => each.startsWith(last))
}

interface Place {
  readonly command: Command
  /** A flag that waits for its value. */
  readonly flag: Option | undefined
  readonly argument: Argument | undefined
  /** The first argument. */
  readonly table: string | undefined
  readonly url: string
}

function placeOf(top: Command, words: readonly string[]): Place {
  let command = top
  let taken = 0
  let url = process.env.SLUICE_URL ?? 'http://127.0.0.1:8080'
  let table: string | undefined
  let waiting: Option | undefined
  for (const word of words) {
    const inner = command.commands.find((each) => each.name() === word)
    if (waiting !== undefined) {
      if (waiting.long === '--url') url = word
      waiting = undefined
    } else if (word.startsWith('-')) {
      const option = command.options.find((each) => each.long === word || each.short === word)
      waiting = option?.required || option?.optional ? option : undefined
    } else if (inner !== undefined) command = inner
    else {
      if (taken === 0) table = word
      taken++
    }
  }
  const { registeredArguments: all } = command
  const argument = all[taken] ?? (all.at(-1)?.variadic ? all.at(-1) : undefined)
  return { command, flag: waiting, argument, table, url }
}

async function candidates({ command, flag, argument, table, url }: Place, last: string): Promise<readonly string[]> {
  if (flag !== undefined) return flag.argChoices ?? []
  if (last.startsWith('-')) return [...command.options.flatMap(({ long }) => long ?? []), '--help']
  if (command.commands.length > 0)
    return command
      .createHelp()
      .visibleCommands(command)
      .map((each) => each.name())
  if (argument?.argChoices !== undefined) return argument.argChoices
  const isDatabase = argument?.name() === 'database' || (argument?.name() === 'name' && command.parent?.name() === 'db')
  if (isDatabase) return databases({ url })
  if (argument?.name() === 'pairs') return keyColumns({ url }, table ?? '')
  return argument?.name() === 'table' ? tables({ url }, last) : []
}

/** Who types does not wait longer. */
const answerMsMax = 1_000
const databasesMax = 20

async function tables(remote: Remote, last: string): Promise<readonly string[]> {
  const dot = last.indexOf('.')
  const names = dot === -1 ? await databases(remote) : [last.slice(0, dot)]
  const found = await Promise.all(
    names.slice(0, databasesMax).map(async (name) => {
      const inside = await list(remote, `/v1/databases/${encodeURIComponent(name)}/tables?limit=1000`, 'tables')
      return inside.map((table) => `${name}.${table}`)
    }),
  )
  return found.flat()
}

/** As `city=`, to be gone on with. */
async function keyColumns(remote: Remote, table: string): Promise<readonly string[]> {
  const [database = '', name = ''] = table.split('.').map(encodeURIComponent)
  return (await list(remote, `/v1/databases/${database}/tables/${name}`, 'primaryKey')).map((column) => `${column}=`)
}

const databases = (remote: Remote): Promise<readonly string[]> => list(remote, '/v1/databases?limit=1000', 'databases')

/** Without a server there are no names, and that is no error of who types. */
async function list(remote: Remote, path: string, field: 'databases' | 'tables' | 'primaryKey'): Promise<readonly string[]> {
  try {
    const answer = await call(remote, 'GET', path, { signal: AbortSignal.timeout(answerMsMax) })
    return JSON.parse(Buffer.from(answer.bytes).toString())[field]
  } catch {
    return []
  }
}
