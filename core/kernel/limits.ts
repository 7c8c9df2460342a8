/** Every limit of the product, the same on every host. Units last. Published at GET /v1. */
const KiB = 1024
const MiB = 1024 * KiB

export const limits = {
  produceBodyBytesMax: 4 * MiB,
  produceExpandedBytesMax: 32 * MiB,
  produceRowsMax: 1_000_000,
  rowBytesMax: 1 * MiB,
  /** Of a primary key, as it is ordered by. */
  keyBytesMax: 8 * KiB,
  lookupKeysMax: 1_000,
  /** Of the rows that are there under the keys of an upsert, and of its changelog; of all groups of a process too. */
  upsertBytesMax: 128 * MiB,
  /** Of one key of a prefix lookup. */
  prefixRowsDefault: 1_000,
  prefixRowsMax: 10_000,
  /** Of a bucket, at once, and how long its rows are there from the first page on, however many pages there are. */
  scanLeasesMax: 8,
  scanLeaseMs: 600_000,
  produceBucketsMax: 1024,
  fetchBodyBytesMax: 4 * MiB,
  fetchRowsDefaultJson: 1_000,
  fetchRowsDefaultArrow: 100_000,
  fetchRowsMax: 1_000_000,
  fetchBucketsMax: 512,
  cursorLengthMax: 32 * KiB,
  filterBytesMax: 4 * KiB,
  filterTestsMax: 64,
  filterDepthMax: 16,
  jsonBodyBytesMax: 1 * MiB,
  jsonDepthMax: 32,
  nameLengthMax: 200,
  columnNameCodePointsMax: 200,
  columnsMax: 1_000,
  schemasMax: 10_000,
  typeDepthMax: 16,
  vectorDimensionMax: 8_192,
  bucketsMax: 1024,
  partitionsMax: 1_000,
  partitionNameBytesMax: 768,
  /** Together as many as a table has. */
  partitionsPrecreatedMax: 100,
  partitionsRetainedMax: 900,
  listLimitDefault: 100,
  listLimitMax: 1_000,
  producerIdLengthMax: 128,
  sequenceMax: 2n ** 63n - 1n,
  offsetMax: 2n ** 63n - 1n,
  frameBytesMax: 1 * MiB,
  queryStringBytesMax: 64 * KiB,
  headerBytesMax: 16 * KiB,
  waitMsMax: 20_000,
  tailMsMax: 55_000,
  commentLengthMax: 1_000,
  inlineObjectBytesMax: 4 * KiB,
  headEntriesMax: 64,
  spillEntries: 8,
  spillAtEntries: 12,
  /** A snapshot is made anew when so much of the changelog is not in it. */
  foldAtReferences: 32,
  foldAtBytes: 8 * MiB,
  foldAtMs: 60_000,
  producersPerHeadMax: 32,
  /** Requests with a producer in one update of a head: DynamoDB takes 300 operators and 4 KB an expression. */
  producersPerGroupMax: 32,
  dedupeHorizonMs: 7 * 86_400_000,
  orphanAgeMs: 24 * 3_600_000,
} as const
