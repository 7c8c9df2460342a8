/** The calls of the ingest function. */
import type { Handlers } from '../call.ts'
import { lookup } from '../keyed/lookup.ts'
import { rows } from '../keyed/rows.ts'
import { records } from './records.ts'

export const ingestHandlers: Handlers = { produce: records, rows, lookup }
