/** Changes the columns of the table while it is written and read: adds, drops and widens numbers, renames the text. */
import { alterTable } from '../../../core/catalog/tables.ts'
import type { SchemaChange } from '../../../core/model/evolve.ts'
import { textId } from '../rows.ts'
import { databaseName, type Stage, tableName } from '../stage.ts'
import { codeOf, tableCache } from './ingest.ts'

export async function alterSome(stage: Stage): Promise<void> {
  const { random, swarm, cluster, history } = stage
  for (let i = 0; i < swarm.alters; i++) {
    await cluster.sleep(random.magnitude(20, Math.max(1_000, swarm.thinkMs * swarm.requestsEach)))
    const kind = random.pick(['add', 'add', 'drop', 'widen', 'rename'])
    const chosen = random.below(1_000)
    const outcome = await cluster.invoke({
      role: 'admin',
      name: `alter: ${kind}`,
      timeoutMs: 30_000,
      repeatable: true,
      run: async (environment) => {
        const table = await tableCache(stage, environment).get(databaseName, tableName)
        const numbers = table.schema.columns.slice(2)
        const column = numbers[chosen % Math.max(1, numbers.length)]
        const text = table.schema.columns.find(({ id }) => id === textId)?.name ?? ''
        const change = changeOf(kind, `c${i}`, column, text)
        return change === undefined ? undefined : alterTable(environment.world, databaseName, tableName, change)
      },
    })
    if (outcome.is === 'error' && ['internal', 'unexpected'].includes(codeOf(outcome.error)))
      history.break('harness', 'error', `alter: ${String(outcome.error)}`)
  }
}

function changeOf(
  kind: string,
  name: string,
  column: { readonly name: string; readonly type: { readonly kind: string } } | undefined,
  text: string,
): SchemaChange | undefined {
  if (kind === 'add') return { addColumns: [{ name, type: 'int' }] }
  if (kind === 'rename') return { renameColumns: { [text]: `s${name}` } }
  if (column === undefined) return undefined
  if (kind === 'drop') return { dropColumns: [column.name] }
  return column.type.kind === 'int' ? { widenColumns: { [column.name]: 'bigint' } } : undefined
}
