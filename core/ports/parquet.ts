/** ParquetWriter: Arrow IPC in, one Parquet file out. CPU-bound, so stores/ runs it in worker threads. */
export interface ParquetWriter {
  /**
   * `stream`: an Arrow IPC stream whose schema carries `PARQUET:field_id` on every field, nested ones too;
   * at most 64 MiB of Arrow. It is handed over: the caller does not touch it again. Returns the file, zstd, one row group per 1 Mi rows at most.
   */
  write(stream: Uint8Array, options: ParquetOptions): Promise<Uint8Array>
}

export interface ParquetOptions {
  /** Top-level columns worth a dictionary (strings). */
  readonly dictionaryColumns: readonly string[]
  /** Top-level integer or timestamp columns that hardly change from row to row: DELTA_BINARY_PACKED. */
  readonly deltaColumns?: readonly string[]
}
