/**
 * Pages of the Iceberg REST catalog. A caller that sends neither pageToken nor pageSize knows no pages and gets everything, which is
 * bounded too. A token is the last name of the page before.
 */
import { isSluiceError, SluiceError } from '../../core/kernel/errors.ts'
import { limits } from '../../core/kernel/limits.ts'

interface Wanted {
  readonly pageToken?: string | undefined
  readonly pageSize?: number | undefined
}

interface Names {
  readonly names: readonly string[]
  readonly next: string | null
}

const namesMax = 100_000

/** `nameOf` refuses what no token can be. Errors: `bad-cursor`. */
export async function pageOf(
  { pageToken, pageSize }: Wanted,
  nameOf: (token: string) => string,
  list: (page: { readonly limit: number; readonly after?: string }) => Promise<Names>,
): Promise<Names> {
  const after = pageToken === undefined || pageToken === '' ? {} : { after: nameOfToken(pageToken, nameOf) }
  if (pageToken !== undefined || pageSize !== undefined) return list({ limit: pageSize ?? limits.listLimitDefault, ...after })
  const names: string[] = []
  for (let next: string | null = ''; next !== null; ) {
    const page: Names = await list({ limit: limits.listLimitMax, ...(next === '' ? {} : { after: next }) })
    names.push(...page.names)
    next = page.next
    if (names.length >= namesMax && next !== null) {
      throw new SluiceError('too-large', `there are more than ${namesMax} names: send pageToken, empty for the first page`)
    }
  }
  return { names, next: null }
}

/** A token that none of ours can be says nothing about the namespace. */
function nameOfToken(token: string, nameOf: (token: string) => string): string {
  try {
    return nameOf(token)
  } catch (error) {
    if (!isSluiceError(error, 'invalid-name')) throw error
    throw new SluiceError('bad-cursor', 'this is no pageToken of ours: pass next-page-token as it came', { cause: error })
  }
}
