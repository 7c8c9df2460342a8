/** A server of our own on a free port, over memory or over a directory and SQLite. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect } from 'vitest'
import type { ItemStore } from '../../core/ports/items.ts'
import type { LakeCatalogs } from '../../core/ports/lake-catalog.ts'
import type { ObjectStore } from '../../core/ports/objects.ts'
import { systemClock, systemRandom } from '../../functions/system.ts'
import type { HttpLimits } from '../../serve/http.ts'
import { type Running, type ServeOptions, serveOver } from '../../serve/server.ts'
import { startServer } from '../../serve/start.ts'
import type { ServedStores } from '../../serve/world.ts'
import { Counter, countItems, countObjects } from '../../stores/decorators/count.ts'
import { inlineObjects } from '../../stores/decorators/inline.ts'
import { MemoryItems } from '../../stores/items/memory.ts'
import { MemoryObjects } from '../../stores/objects/memory.ts'
import { inlineParquet } from '../../stores/parquet/inline.ts'
import { Client } from './client.ts'

export interface Site {
  readonly running: Running
  readonly client: Client
  /** What the server logged as its own defects. */
  readonly defects: unknown[]
  /** Another server over the same stores: after this one has stopped or, on a disk, beside it. */
  reopen(port?: number): Promise<Site>
  close(): Promise<void>
}

export interface SiteOptions {
  readonly http?: HttpLimits
  readonly bytesInFlightMax?: number
  readonly sweepIntervalMs?: number
  readonly items?: (items: ItemStore) => ItemStore
  readonly catalogs?: (objects: ObjectStore) => LakeCatalogs
}

export async function memorySite(options: SiteOptions = {}): Promise<Site> {
  const memory = memoryStores(options.items)
  const stores = { ...memory, ...(options.catalogs && { catalogs: options.catalogs(memory.objects) }) }
  const open = (serving: Serving) => serveOver(stores, { port: 0, clock: systemClock, random: systemRandom, ...serving })
  return siteOf({ open, options, remove: async () => {} })
}

function memoryStores(decorate: (items: ItemStore) => ItemStore = (items) => items): ServedStores {
  const counter = new Counter()
  const items = decorate(countItems(new MemoryItems(), counter))
  const objects = inlineObjects({ objects: countObjects(new MemoryObjects(), counter), items, clock: systemClock })
  return { objects, items, counter, parquet: inlineParquet(), close: async () => {} }
}

/** Of the tests of a file: closed after them, and then without a defect. */
export async function siteOfFile(): Promise<Site> {
  const site = await memorySite()
  afterAll(async () => {
    await site.close()
    expect(site.defects).toEqual([])
  })
  return site
}

export async function diskSite(options: SiteOptions = {}): Promise<Site> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-http-'))
  const config = {
    port: 0,
    dataDirectory: directory,
    objects: undefined,
    items: undefined,
    endpointUrl: undefined,
    region: undefined,
  }
  return siteOf({
    open: (serving) => startServer(config, serving),
    options,
    remove: () => rm(directory, { recursive: true, force: true }),
  })
}

type Serving = Partial<ServeOptions>

interface Opening {
  readonly open: (serving: Serving) => Promise<Running>
  readonly options: SiteOptions
  readonly remove: () => Promise<void>
}

async function siteOf({ open, options, remove }: Opening): Promise<Site> {
  const defects: unknown[] = []
  const { http, bytesInFlightMax, sweepIntervalMs } = options
  const running = await open({
    logError: (_what, error) => defects.push(error),
    ...(http === undefined ? {} : { http }),
    ...(bytesInFlightMax === undefined ? {} : { bytesInFlightMax }),
    ...(sweepIntervalMs === undefined ? {} : { sweepIntervalMs }),
  })
  const client = new Client(running.port)
  return {
    running,
    client,
    defects,
    reopen: (port) =>
      siteOf({ open: (serving) => open({ ...serving, ...(port !== undefined && { port }) }), options, remove: async () => {} }),
    close: async () => {
      client.close()
      await running.stop()
      await remove()
    },
  }
}

export const simpleColumns = [
  { name: 'id', type: 'bigint', nullable: false },
  { name: 'text', type: 'string' },
]

/** Creates database `d` and the table; returns the table's path. */
export async function makeTable(client: Client, name: string, more: object = {}): Promise<string> {
  await client.put('/v1/databases/d')
  const path = `/v1/databases/d/tables/${name}`
  const { status, text } = await client.put(path, { columns: simpleColumns, ...more })
  if (status !== 201) throw new Error(text)
  return path
}

export const ndjson = { 'Content-Type': 'application/x-ndjson' } as const

export function lines(rows: readonly object[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('')
}

export function readLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}
