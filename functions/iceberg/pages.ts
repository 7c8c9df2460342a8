/**
 * Pages of the Iceberg REST catalog. A caller that sends neither pageToken nor pageSize knows no pages and gets everything, which is
 * bounded too. A token is the last name of the page before.
 */
import { SluiceError } from '../../core/kernel/errors.ts'
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

/** `nameOf` refuses what no token can be. */
export async function pageOf(
  { pageToken, pageSize }: Wanted,
  nameOf: (token: string) => string,
  list: (page: { readonly limit: number; readonly after?: string }) => Promise<Names>,
): Promise<Names> {
  const after = pageToken === undefined || pageToken === '' ? {} : { after: nameOf(pageToken) }
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
