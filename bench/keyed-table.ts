/** Keyed tables that benches measure: made and filled by the product's own writes, and what the server says that it wrote. */
import { call, costOf } from './api.ts'
import { arrowBody, arrowBodyOfIds, columns, media } from './bodies.ts'
import { runScript, type Server } from './children.ts'
import type { LoadResult, LoadSpec } from './load.ts'
import type { Scratch } from './scratch.ts'

/** Under the 4 MiB of a body. */
const bodyRows = 100_000
/** Nothing was written for so long: nothing more is folded. */
const quietMs = 8_000
const quietMsMax = 240_000

export async function keyedTable(port: number, buckets: number): Promise<string> {
  await call(port, 'PUT', '/v1/databases/bench')
  const path = '/v1/databases/bench/tables/keyed'
  await call(port, 'PUT', path, JSON.stringify({ columns, primaryKey: ['id'], buckets: { count: buckets } }))
  return path
}

/** Upserts the keys [0, keys), in order. */
export async function fill(scratch: Scratch, { port }: Pick<Server, 'port'>, path: string, keys: number): Promise<void> {
  const files: string[] = []
  for (let first = 0; first < keys; first += bodyRows)
    files.push(scratch.file(`fill-${first}`, arrowBody(Math.min(bodyRows, keys - first), first).bytes))
  await load({ ...arrowUpserts(port, path, files), requests: files.length, warm: 0 })
}

export interface Updates {
  readonly files: readonly string[]
  readonly bytes: number
  readonly rowsEach: number
}

/** Bodies of keys drawn uniformly from [0, keys), the same ones for the same arguments. */
export function updatesOf(scratch: Scratch, { keys, bodies, rowsEach }: Record<'keys' | 'bodies' | 'rowsEach', number>): Updates {
  let state = 1
  const draw = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * keys)
  }
  let bytes = 0
  const files = Array.from({ length: bodies }, (_, i) => {
    const body = arrowBodyOfIds(Array.from({ length: rowsEach }, draw))
    bytes += body.bytes.length
    return scratch.file(`update-${keys}-${i}`, body.bytes)
  })
  return { files, bytes, rowsEach }
}

export const arrowUpserts = (port: number, path: string, bodyFile: readonly string[]) => ({
  port,
  path: `${path}/records`,
  contentType: media.arrow,
  bodyFile,
  connections: 4,
})

export async function load(spec: LoadSpec): Promise<LoadResult> {
  const result = await runScript<LoadResult>('load.ts', spec)
  if (result.failed > 0) throw new Error(`${result.failed} of the requests failed, the first with ${result.firstFailure}`)
  return result
}

/** Bytes that were put into the object store so far. */
export const writtenBytes = async (port: number): Promise<number> => (await costOf(port)).amounts['objects/bytesIn'] ?? 0

/** Once folding has brought all into snapshots, as the sweep has it. */
export async function settled(port: number): Promise<void> {
  const end = performance.now() + quietMsMax
  for (let before = -1, since = performance.now(); performance.now() < end; ) {
    const now = await writtenBytes(port)
    if (now !== before) [before, since] = [now, performance.now()]
    else if (performance.now() - since > quietMs) return
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}
