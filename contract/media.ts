/** Media types of version 1. */
export const media = {
  arrow: 'application/vnd.apache.arrow.stream',
  ndjson: 'application/x-ndjson',
  json: 'application/json',
  sse: 'text/event-stream',
  html: 'text/html; charset=utf-8',
  metrics: 'text/plain; version=0.0.4; charset=utf-8',
} as const

export const rowMedia = [media.ndjson, media.json, media.arrow] as const
export type RowMedia = (typeof rowMedia)[number]

/** Encodings that a body may have, both ways. */
export const encodings = ['zstd', 'gzip'] as const
export type Encoding = (typeof encodings)[number]
