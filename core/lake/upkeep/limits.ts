/** When a lake keeps itself in order, beside what its table says; smaller in the simulation, so that short runs meet every case. */
export interface UpkeepLimits {
  /** So many manifests of one size become one of the next. */
  readonly levelManifests: number
  /** A branch keeps so many snapshots, however old. */
  readonly snapshotsMin: number
  /** And what was current within so many ms. */
  readonly snapshotAgeMs: number
}

export const upkeepLimits: UpkeepLimits = { levelManifests: 10, snapshotsMin: 20, snapshotAgeMs: 6 * 3_600_000 }
