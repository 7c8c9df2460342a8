/**
 * One commit to an external table, until its outcome is definite. An attempt that was lost, refused or answered with nonsense is
 * resolved by reading the table back: our snapshot is there, or the snapshot that it was fenced by is not the current one any
 * more, or neither is to be seen yet and the same commit is made again. Whatever arrives late meets the fence, so repeating
 * can never bring rows in twice. Nothing is deleted here, whatever the outcome.
 */
import { isSluiceError, SluiceError } from '../../kernel/errors.ts'
import type { CatalogAnswer, CatalogTable, LakeCatalog } from '../../ports/lake-catalog.ts'
import type { World } from '../../ports/world.ts'
import { type ExternalTable, factsOf, hostile, nameOf, tableOf } from './answer.ts'
import type { ExternalBase, ExternalPlan } from './plan.ts'
import { pointsProperty } from './points.ts'
import { type ExternalPlace, loadExternal } from './table.ts'

export type ExternalCommitted =
  | { readonly is: 'done'; readonly external: ExternalTable }
  /** No effect, now or ever: others have committed since. */
  | { readonly is: 'moved'; readonly external: ExternalTable }

/** Errors: `conflict` where attempts were refused without end, `unavailable` of effect `unknown`, the catalog's own. */
export async function commitExternal(
  { clock }: Pick<World, 'clock'>,
  place: ExternalPlace,
  base: ExternalBase,
  plan: ExternalPlan,
): Promise<ExternalCommitted> {
  let isUnknown = false
  const until = clock.now() + totalMsMax
  for (let attempt = 1; ; attempt++) {
    const attempted = await attemptCommit(place, plan)
    isUnknown ||= attempted.is === 'unknown'
    const external = attempted.is === 'table' ? attempted.external : await readBack(place, base.table.uuid, isUnknown)
    if (holds(external, plan)) return { is: 'done', external }
    if (hasMoved(base.table, external)) return { is: 'moved', external }
    if (attempted.is === 'refused') throw attempted.error
    if (attempt === attemptsMax || clock.now() >= until) throw endless(place, isUnknown)
    await clock.sleep(Math.min(pauseMsMax, pauseMsFirst * 2 ** attempt))
  }
}

const attemptsMax = 6
/** Each attempt is repeated by the one retry, for up to 20 s: so a job ends in the time that it was given. */
const totalMsMax = 30_000
const pauseMsFirst = 50
const pauseMsMax = 2_000

type Attempted =
  | { readonly is: 'table'; readonly external: ExternalTable }
  | { readonly is: 'conflict' | 'unknown' }
  | { readonly is: 'refused'; readonly error: SluiceError }

async function attemptCommit({ catalog, name }: ExternalPlace, { change }: ExternalPlan): Promise<Attempted> {
  let answer: CatalogAnswer | 'conflict' | 'absent'
  try {
    answer = await catalog.commit(name, change) // COMMIT POINT
  } catch (error) {
    if (!isSluiceError(error)) throw error
    if (error.effect === 'unknown') return { is: 'unknown' }
    if (error.code === 'bad-request') return { is: 'refused', error }
    throw error
  }
  if (answer === 'conflict' || answer === 'absent') return { is: 'conflict' }
  return believable(catalog, name, answer)
}

/** An answer that says yes in words that cannot be read says nothing: the table does. */
function believable(catalog: LakeCatalog, name: CatalogTable, answer: CatalogAnswer): Attempted {
  try {
    return { is: 'table', external: tableOf(catalog, name, answer) }
  } catch {
    return { is: 'unknown' }
  }
}

async function readBack(place: ExternalPlace, uuid: string, isUnknown: boolean): Promise<ExternalTable> {
  const { catalog, name } = place
  let external: ExternalTable | undefined
  try {
    external = await loadExternal(place)
  } catch (error) {
    if (!isUnknown || !isSluiceError(error)) throw error
    throw new SluiceError(error.code, `${error.message}: a commit to it may have been made`, {
      effect: 'unknown',
      action: error.action,
      facts: error.facts,
      cause: error,
    })
  }
  if (external === undefined) {
    throw new SluiceError('conflict', `${nameOf(catalog, name)} is not there any more: restore it, or drop the table here`, {
      action: 'stop',
      facts: factsOf(catalog, name),
    })
  }
  if (external.uuid !== uuid)
    throw hostile(catalog, name, `another table under the same name (uuid ${external.uuid}, not ${uuid})`)
  return external
}

/** Its snapshot may have been expired since; the property outlives it. */
const holds = ({ snapshots, properties }: ExternalTable, { snapshotId, pointsRef }: ExternalPlan): boolean =>
  snapshots.has(snapshotId) || properties[pointsProperty] === pointsRef.key

/** What the commit demanded holds no more. An older state than the one it was planned on says nothing. */
export function hasMoved(before: ExternalTable, now: ExternalTable): boolean {
  if (now.lastSequence < before.lastSequence) return false
  return (
    now.lastSequence > before.lastSequence ||
    now.formatVersion !== before.formatVersion ||
    now.main?.id !== before.main?.id ||
    now.schema['schema-id'] !== before.schema['schema-id'] ||
    now.spec['spec-id'] !== before.spec['spec-id']
  )
}

const endless = ({ catalog, name }: ExternalPlace, isUnknown: boolean): SluiceError =>
  isUnknown
    ? new SluiceError('unavailable', `whether a commit to ${nameOf(catalog, name)} was made is not known yet`, {
        effect: 'unknown',
        facts: factsOf(catalog, name),
      })
    : new SluiceError('conflict', `${nameOf(catalog, name)} refuses commits again and again, without a reason to be seen in it`, {
        action: 'retry',
        facts: factsOf(catalog, name),
      })
