/** ParquetWriter: Arrow IPC or Parquet files in, one Parquet file out. CPU-bound, so stores/ runs it in worker threads. */
export interface ParquetWriter {
  /**
   * `stream`: an Arrow IPC stream whose schema carries `PARQUET:field_id` on every field, nested ones too;
   * at most 64 MiB of Arrow. It is handed over: the caller does not touch it again. Returns the file, zstd, one row group per 1 Mi rows at most.
   */
  write(stream: Uint8Array, options: ParquetOptions): Promise<Uint8Array>
  /**
   * The rows of several files of ours, in their order, as one: of as many of the first as have the columns of the first one and
   * together at most 64 MiB of Arrow. They are handed over. Errors as of `write`; also where they are no Parquet files.
   */
  join(files: readonly Uint8Array[], options: JoinOptions): Promise<JoinedFile>
}

/** ParquetReader: one Parquet file in, Arrow IPC out. */
export interface ParquetReader {
  /**
   * All rows of a file as an Arrow IPC stream whose fields carry `PARQUET:field_id`. The file is handed over; it may be hostile.
   * Errors: `internal` where it is no Parquet file.
   */
  read(file: Uint8Array): Promise<Uint8Array>
}

export interface JoinOptions extends ParquetOptions {
  /** Of each file, where its rows have one: they take it along as columns. Files with and without one are not joined. */
  readonly lineage?: readonly (FileLineage | undefined)[]
}

/** Where the rows of a file are from (Iceberg, "Row Lineage"), as long as its columns do not say. */
export interface FileLineage {
  /** Of its first row; the others follow. */
  readonly firstRowId: bigint
  /** Of the commit that brought the file in. */
  readonly sequence: bigint
}

export interface JoinedFile {
  readonly file: Uint8Array
  /** How many of the first files are in it; at least one. */
  readonly files: number
}

export const joinedArrowBytesMax = 64 * 1024 * 1024

export interface ParquetOptions {
  /** Top-level columns worth a dictionary (strings). */
  readonly dictionaryColumns: readonly string[]
  /** Top-level integer or timestamp columns that hardly change from row to row: DELTA_BINARY_PACKED. */
  readonly deltaColumns?: readonly string[]
}
