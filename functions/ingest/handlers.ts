/** The calls of the ingest function. */
import type { Handlers } from '../call.ts'
import { lookup } from '../read/lookup.ts'
import { rows } from '../read/rows.ts'
import { records } from './records.ts'

export const ingestHandlers: Handlers = { produce: records, rows, lookup }
