/** Time as a dependency. `now` is ms since 1970 UTC; it decides nothing but time stamps, TTL and liveness. */
export interface Clock {
  now(): number
  /** Resolves after `ms`; earlier, without an error, when `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}
