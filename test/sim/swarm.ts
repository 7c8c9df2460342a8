/**
 * What one run is made of, drawn from its seed: which faults exist at all, how often, how many of everything. Some kinds
 * are fully off in most runs, because a system under every fault at once explores little.
 */

import type { LevelLimits } from '../../core/kv/fold/levels.ts'
import type { UpkeepLimits } from '../../core/lake/upkeep/limits.ts'
import { type RunLimits, runLimits } from '../../core/log/keep/runs.ts'
import type { LogConfig } from '../../core/log/log.ts'
import type { Rates } from './fates.ts'
import type { Seeded } from './random.ts'

export const scenarioNames = [
  'append',
  'alter',
  'producers',
  'spill',
  'evict',
  'collect',
  'tier',
  'drop',
  'partitions',
  'periods',
  'all',
  'retain',
  'compact',
  'external',
  'upkeep',
  'engine',
  'keyed',
] as const
export type ScenarioName = (typeof scenarioNames)[number]

export interface Swarm {
  readonly scenario: ScenarioName
  readonly rates: Rates
  readonly freezeMsMax: number
  /** Then the faults of calls stop early: a system that only fails explores little. */
  readonly faultsMax: number
  readonly mode: 'lambda' | 'server'
  readonly environmentsMax: number
  readonly coldRate: number
  readonly idleFreezeRate: number
  readonly idleKillRate: number
  readonly duplicateRate: number
  readonly buckets: number
  readonly keyed: boolean
  /** Where the offsets of the heads begin: near 2^31, 2^32, 2^53 in some runs. */
  readonly floor: bigint
  readonly producers: number
  readonly keylessProducers: number
  readonly requestsEach: number
  readonly rowsMax: number
  /** Mean pause of a producer between requests. */
  readonly thinkMs: number
  readonly fetchers: number
  readonly tableReaders: number
  /** Changes of the table's columns. */
  readonly alters: number
  readonly cacheTable: boolean
  readonly group: LogConfig
  readonly lake: boolean
  /** Of Iceberg. */
  readonly formatVersion: 2 | 3
  /** It is in a catalog that is not ours. */
  readonly external: boolean
  /** Of engines, to the external table. */
  readonly foreignCommits: number
  readonly lakeFreshnessMs: number
  /** No object of the lake can be read until the faults stop. */
  readonly unreadableLake: boolean
  readonly extraTierJobs: number
  /** That maintain the lake, each with so many commits. */
  readonly engines: number
  readonly engineCommits: number
  readonly extraCollects: number
  /** Triggers come faster than a round takes, while the lake or snapshots catch up; commits, than a writer that is far away. */
  readonly storm: boolean
  readonly roundBytesMax: number
  readonly fileBytesMax: number
  readonly lakeBytes: number
  /** Small, so that short runs merge and expire. */
  readonly upkeep: UpkeepLimits
  readonly collect: boolean
  readonly drops: number
  readonly inline: boolean
  readonly retries: boolean
  readonly sweepMsMax: number
  readonly logTtlMs: number
  /** Rows that the lake has may go sooner. */
  readonly logTtlAfterTierMs?: number
  /** Rows grow too old within the run. */
  readonly retain: boolean
  readonly extraRetains: number
  readonly extraCompactions: number
  /** Small, so that short logs have several runs. */
  readonly runLimits: RunLimits
  /** Of keyed tables: small, so that short changelogs fill several levels. */
  readonly levels?: LevelLimits
  /** From which age commits are folded: short, so that short changelogs have many folds. */
  readonly foldAgeMs?: number
}

export function drawSwarm(scenario: ScenarioName, random: Seeded): Swarm {
  const traits = traitsOf[scenario]
  const has = (trait: Trait, rate: number): boolean => traits.includes(trait) || (scenario === 'all' && random.chance(rate))
  const many = has('many', 0.1)
  const isKeeping = scenario === 'retain' || scenario === 'compact'
  const collect = has('collect', 0.3) || (isKeeping && random.chance(scenario === 'compact' ? 0.7 : 0.3))
  const lake =
    has('lake', 0.5) ||
    ((scenario === 'partitions' || scenario === 'periods') && random.chance(0.7)) ||
    (isKeeping && random.chance(scenario === 'compact' ? 0.3 : 0.5))
  const drawn: Omit<Swarm, 'formatVersion' | 'logTtlAfterTierMs'> = {
    scenario,
    rates: drawRates(random),
    // Dozens of producers that repeat for days what waits at one frozen process are a run of their own length.
    freezeMsMax: collect && random.chance(0.5) && !many ? 48 * 3_600_000 : 25 * 60_000,
    faultsMax: random.chance(0.5) ? 400 : random.magnitude(2, 400),
    mode: random.chance(many ? 0.3 : 0.6) ? 'lambda' : 'server',
    environmentsMax: random.between(1, 5),
    coldRate: random.pick([0, 0.1, 0.5]),
    idleFreezeRate: random.pick([0, 0.5, 1]),
    idleKillRate: random.pick([0, 0, 0.05]),
    duplicateRate: random.pick([0, 0, 0.1, 0.3]),
    buckets: many ? 1 : random.pick([1, 1, 2, 4]),
    keyed: random.chance(0.5),
    floor: random.chance(0.25) ? random.pick([2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 62n]) - BigInt(random.below(12)) : 0n,
    producers: many ? random.between(33, 44) : random.between(traits.includes('producers') ? 2 : 0, 6),
    keylessProducers: many ? 0 : random.between(traits.includes('producers') ? 0 : 1, 2),
    requestsEach: many ? random.between(1, 4) : has('spill', 0.3) ? random.between(8, 24) : random.between(1, 6),
    rowsMax: random.between(1, 4),
    thinkMs: ['retain', 'upkeep'].includes(scenario) ? random.pick([500, 60_000, 300_000]) : random.pick([0, 20, 500, 60_000]),
    fetchers: random.between(0, 3),
    cacheTable: random.chance(0.5),
    group: {
      groupIntervalMs: random.pick([0, 5, 50]),
      groupBytesMax: random.pick([1, 1_024, 1 << 20]),
      cacheBytesMax: 1 << 20,
      groupsInFlightMax: random.pick([1, 2, 8]),
      pendingBytesMax: random.pick([1, 1 << 20]),
    },
    lake,
    external: scenario === 'external',
    foreignCommits: scenario === 'external' ? random.pick([0, 3, 12]) : 0,
    lakeFreshnessMs: random.pick([1_000, traits.includes('retain') ? 1_800_000 : 180_000]),
    extraTierJobs: lake ? random.between(0, 6) : 0,
    extraCollects: collect ? random.between(0, 12) : 0,
    storm: lake && random.chance(0.3),
    roundBytesMax: random.pick([1, 2_000, 64 << 20]),
    fileBytesMax: random.pick([1, 64 << 20]),
    lakeBytes: random.pick([1_024, 64 << 20]),
    collect,
    drops: has('drop', 0.3) ? random.between(1, 3) : 0,
    inline: random.chance(0.3),
    retries: random.chance(0.7),
    sweepMsMax: collect ? 3_600_000 : 120_000,
    tableReaders: random.between(0, 2),
    alters:
      has('alter', 0.3) || ((scenario === 'tier' || scenario === 'partitions') && random.chance(0.4)) ? random.between(1, 6) : 0,
    ...drawRetention(has('retain', 0.3) || (scenario === 'external' && random.chance(0.3)), random),
    ...drawCompaction(has('compact', 0.3), random),
    upkeep: {
      levelManifests: random.pick([2, 3, 10]),
      snapshotsMin: random.pick([1, 2, 20]),
      snapshotAgeMs: random.pick([60_000, 600_000, 6 * 3_600_000]),
    },
    ...(scenario === 'tier' ? { extraCollects: random.between(0, 6) } : {}),
    engineCommits: lake && (has('engine', 0.3) || (scenario === 'tier' && random.chance(0.3))) ? random.between(1, 12) : 0,
    engines: random.between(1, 3),
    unreadableLake: lake && random.chance(0.2),
    ...(scenario === 'keyed' ? drawKeyed(random) : {}),
  }
  // Made of what was drawn, so that the seeds that are kept draw all else as they did.
  const mix = drawn.requestsEach + drawn.rowsMax
  const external = drawn.external || (scenario === 'partitions' && drawn.lake && mix % 2 === 0)
  return {
    ...drawn,
    external,
    ...(scenario === 'partitions' && external && { foreignCommits: drawn.extraTierJobs }),
    formatVersion: drawn.lake && mix % 3 === 0 ? 3 : 2,
    ...(drawn.retain && drawn.lake && mix % 2 === 0 && { logTtlAfterTierMs: drawn.logTtlMs * 0.6 }),
  }
}

/** Each of what may take something away from under a snapshot is there in some runs. */
function drawKeyed(random: Seeded): Partial<Swarm> {
  const collect = random.chance(0.4)
  return {
    lake: false,
    collect,
    extraCollects: collect ? random.between(1, 16) : 0,
    storm: random.chance(0.3),
    requestsEach: random.between(1, 12),
    levels: {
      level0RunsMin: random.between(1, 4),
      level0RunsMax: random.between(2, 6),
      level1BytesMax: random.pick([1, 300, 2_000]),
      levelGrowth: 2,
      runBytesMax: random.pick([1, 150, 1 << 20]),
    },
    foldAgeMs: random.pick([0, 0, 1_000, 30_000]),
    ...drawRetention(random.chance(0.4), random),
    ...drawCompaction(random.chance(0.3), random),
  }
}

function drawRetention(retain: boolean, random: Seeded): Pick<Swarm, 'retain' | 'logTtlMs' | 'extraRetains'> {
  if (!retain) return { retain, logTtlMs: 7 * 86_400_000, extraRetains: 0 }
  return { retain, logTtlMs: random.pick([600_000, 3_600_000]), extraRetains: random.between(0, 12) }
}

function drawCompaction(compact: boolean, random: Seeded): Pick<Swarm, 'extraCompactions' | 'runLimits'> {
  const limits = { itemsMin: 1, bytesMin: 1, itemsMax: random.between(1, 4), bytesMax: 1 << 20, itemBytesMax: 1 << 20 }
  return { extraCompactions: compact ? random.between(1, 24) : 0, runLimits: compact ? limits : runLimits }
}

type Trait = 'engine' | 'alter' | 'producers' | 'spill' | 'many' | 'collect' | 'lake' | 'drop' | 'retain' | 'compact'

const traitsOf: Readonly<Record<ScenarioName, readonly Trait[]>> = {
  append: [],
  alter: ['alter'],
  producers: ['producers'],
  spill: ['spill'],
  evict: ['many', 'producers'],
  collect: ['collect', 'spill'],
  tier: ['lake'],
  external: ['lake'],
  drop: ['drop'],
  partitions: [],
  periods: [],
  all: [],
  retain: ['retain', 'spill'],
  compact: ['compact', 'spill'],
  upkeep: ['lake', 'collect'],
  engine: ['lake', 'engine'],
  keyed: [],
}

function drawRates(random: Seeded): Rates {
  const some = (exists: number, max: number): number => (random.chance(exists) ? random.next() * max : 0)
  if (random.chance(0.1)) return { ...some0 }
  return {
    refused: some(0.4, 0.1),
    lostRequest: some(0.4, 0.1),
    lostAck: some(0.5, 0.15),
    duplicate: some(0.4, 0.1),
    late: some(0.3, 0.08),
    stale: some(0.6, 0.6),
    corrupt: some(0.3, 0.3),
    partial: some(0.4, 0.5),
    crash: some(0.4, 0.04),
    freeze: some(0.4, 0.04),
    slow: some(0.4, 0.1),
  }
}

const some0: Rates = {
  refused: 0,
  lostRequest: 0,
  lostAck: 0,
  duplicate: 0,
  late: 0,
  stale: 0,
  corrupt: 0,
  partial: 0,
  crash: 0,
  freeze: 0,
  slow: 0,
}
