/** `sluice`: the command. Exit status 0 done, 1 failed, 2 wrong usage. */
import { Argument, Command, CommanderError } from 'commander'
import product from '../package.json' with { type: 'json' }
import { addDatabase } from './commands/database.ts'
import { addKeyed } from './commands/keyed.ts'
import { addPartition } from './commands/partition.ts'
import { addRows } from './commands/rows.ts'
import { addServer } from './commands/server.ts'
import { addTable } from './commands/table.ts'
import { completionScript, completions, type Shell, shells } from './completion.ts'
import { Failure } from './failure.ts'

const notYet = ['sql', 'token', 'acl', 'doctor']

export async function main(argv: readonly string[]): Promise<number> {
  try {
    await program().parseAsync([...argv], { from: 'user' })
    return 0
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    const failure = error instanceof Failure ? error : fileFailure(error)
    process.stderr.write(`${failure.message}\n${failure.fix === undefined ? '' : `try: ${failure.fix}\n`}`)
    return failure.exitStatus
  }
}

/** A file that was named and cannot be read; anything else is a defect and keeps its stack. */
function fileFailure(error: unknown): Failure {
  const { syscall, path, message } = error as NodeJS.ErrnoException
  if (syscall === undefined) throw error
  return new Failure(path === undefined ? message : `cannot read ${path}: ${message}`)
}

function program(): Command {
  const top = new Command('sluice')
    .description('A streaming lakehouse: tables over HTTP, in object storage and Apache Iceberg.')
    .version(product.version, '--version', 'print the version')
    .exitOverride()
  top
    .command('serve')
    .description('run the server on this machine')
    .option('--port <number>', 'port; 0 takes a free one (default 8080)')
    .option('--data <directory>', 'where everything is kept (default .sluice)')
    .option('--objects <url>', 's3://bucket/prefix instead of a directory')
    .option('--items <url>', 'dynamodb://table instead of SQLite')
    .option('--endpoint-url <url>', 'of the S3 and DynamoDB services')
    .action(async (flags) => (await import('./serve.ts')).serve(flags))
  top
    .command('demo')
    .description('stream three million flights into a lake and check them')
    .option('--keyed', 'into a table with a primary key instead, looked up while it changes')
    .option('--rows <n>', 'flights of --keyed (default 1,000,000)')
    .option('--data <directory>', 'where the state is kept')
    .option('--json', 'print JSON')
    .action(async ({ keyed, ...flags }) => {
      if (keyed) return (await import('./demo/keyed/main.ts')).keyedDemo(flags)
      if (flags.rows !== undefined) throw new Failure('--rows is of sluice demo --keyed', 2)
      return (await import('./demo/main.ts')).demo(flags)
    })
  for (const add of [addDatabase, addTable, addPartition, addRows, addKeyed, addServer]) add(top)
  addCompletion(top)
  for (const name of notYet) {
    top
      .command(`${name} [arguments...]`, { hidden: true })
      .allowUnknownOption()
      .action(() => {
        throw new Failure(`sluice ${name} is not in this build`, 1, { fix: 'sluice --help' })
      })
  }
  return top
}

function addCompletion(top: Command): void {
  top
    .command('completion')
    .description('print a script that completes commands, flags and names')
    .addArgument(new Argument('<shell>').choices(shells))
    .addHelpText('after', '\nIn bash or zsh: eval "$(sluice completion bash)"; in fish: sluice completion fish | source')
    .action((shell: Shell) => {
      process.stdout.write(completionScript(shell))
    })
  top.command('complete [words...]', { hidden: true }).action(async (words: readonly string[]) => {
    const found = await completions(top, words)
    if (found.length > 0) process.stdout.write(`${found.join('\n')}\n`)
  })
}

/** Who reads our output may close it (`| head`): that ends nothing but the output. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

process.exitCode = await main(process.argv.slice(2))
