/** The calls of the read function. */
import type { Handlers } from '../call.ts'
import { lookupPrefix } from '../keyed/lookup.ts'
import { fetchLog } from './log.ts'
import { offsets } from './offsets.ts'

export const readHandlers: Handlers = { fetch: fetchLog, offsets, lookupPrefix }
