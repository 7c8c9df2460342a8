/** Drops the table and creates one of the same name again, until each is answered. */
import { createTable } from '../../../core/catalog/tables.ts'
import { dropTable } from '../../../core/log/drop.ts'
import { specOf } from '../rows.ts'
import { databaseName, type Stage, tableName } from '../stage.ts'
import { codeOf } from './ingest.ts'

export async function dropAndCreate(stage: Stage): Promise<void> {
  const { random, swarm, cluster } = stage
  for (let i = 0; i < swarm.drops; i++) {
    await cluster.sleep(random.magnitude(20, Math.max(1_000, swarm.thinkMs * swarm.requestsEach)))
    await dropUntilGone(stage)
    await createUntilThere(stage)
  }
}

export async function dropUntilGone(stage: Stage): Promise<void> {
  for (;;) {
    const outcome = await stage.cluster.invoke({
      role: 'admin',
      name: 'drop',
      timeoutMs: 30_000,
      repeatable: false,
      run: ({ world }) => dropTable(world, databaseName, tableName),
    })
    if (outcome.is === 'answer' && outcome.value === 'gone') return
    if (outcome.is === 'error') {
      const code = codeOf(outcome.error)
      if (code === 'not-found') return
      if (code === 'internal' || code === 'unexpected') stage.history.break('harness', 'error', `drop: ${String(outcome.error)}`)
    }
    await stage.cluster.sleep(stage.random.between(10, 2_000))
  }
}

export async function createUntilThere(stage: Stage): Promise<void> {
  for (;;) {
    const outcome = await stage.cluster.invoke({
      role: 'admin',
      name: 'create',
      timeoutMs: 30_000,
      repeatable: false,
      run: ({ world }) => createTable(world, databaseName, tableName, specOf(stage.swarm)),
    })
    if (outcome.is === 'answer') return
    if (outcome.is === 'error') {
      const code = codeOf(outcome.error)
      if (code === 'internal' || code === 'unexpected')
        stage.history.break('harness', 'error', `create: ${String(outcome.error)}`)
    }
    await stage.cluster.sleep(stage.random.between(10, 2_000))
  }
}
