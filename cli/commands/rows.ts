/** `sluice produce` and `sluice fetch`: what goes in and what comes out. */
import { type Command, Option } from 'commander'
import { type FetchFlags, fetchRows } from '../fetch/main.ts'
import { formats } from '../fetch/output.ts'
import { type ProduceFlags, produce, produceFormats } from '../produce/main.ts'
import { remote, tablePath } from './remote.ts'

export function addRows(top: Command): void {
  remote(top, 'produce <table> [file]', 'produce NDJSON, CSV, Arrow or Parquet from a file or standard input')
    .alias('upsert')
    .addOption(new Option('--format <format>', 'default: by the name of the file, else ndjson').choices(produceFormats))
    .addOption(new Option('--op <op>', 'what rows ask that have no __op: upsert if absent').choices(['upsert', 'delete']))
    .option(
      '--columns <names>',
      'write only these columns, those of the primary key among them, as a,b; values of others are dropped',
    )
    .action(async (table: string, file: string | undefined, flags: ProduceFlags) => produce(tablePath(table), file, flags))
  remote(top, 'fetch <table>', 'read a table, or a bucket of it, to its end')
    .option('--bucket <n>', 'one bucket, or several as 0-7,12')
    .option('--partition <name>', 'a partition, or the beginning of the names of several')
    .option('--from <position>', 'earliest, latest, @ and a time, or the offset in a bucket', 'earliest')
    .option('--follow', 'go on with what comes, until Ctrl-C')
    .option('--columns <names>', 'these columns, in this order, as a,b')
    .option('--where <filter>', `rows that it is true of, as "price > 10 and city = 'Bern'"`)
    .addOption(new Option('--form <form>', 'binlog: whole changes, with the row before and after').choices(['binlog']))
    .option('--limit <n>', 'rows at most')
    .addOption(new Option('--format <format>', 'default: table on a terminal, else ndjson').choices(formats))
    .action(async (table: string, flags: FetchFlags) => fetchRows(tablePath(table), flags))
}
