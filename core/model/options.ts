/** Table options: the closed list that this build knows, parsed. Text in, text out; unknown keys are refused with the nearest. */
export interface TableOptions {
  readonly lakeFormat: 'none' | 'iceberg'
  /** ms */
  readonly lakeFreshnessMs: number
  readonly lakeBytes: number
}

export const defaultOptions: TableOptions = { lakeFormat: 'none', lakeFreshnessMs: 180_000, lakeBytes: 64 * 1024 * 1024 }
