/** The calls of the read function. */
import type { Handlers } from '../call.ts'
import { fetchLog } from './log.ts'
import { lookupPrefix } from './lookup.ts'
import { offsets } from './offsets.ts'

export const readHandlers: Handlers = { fetch: fetchLog, offsets, lookupPrefix }
