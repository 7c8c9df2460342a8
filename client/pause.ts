/** Waiting: full jitter, so that clients who failed together do not come back together. */
const backOffMsMin = 50
const backOffMsMax = 5_000

/** Anywhere from 0 to 50 ms doubled with every attempt, at most 5 s. */
export function backOffMs(attempt: number, random: () => number = Math.random): number {
  return random() * Math.min(backOffMsMax, backOffMsMin * 2 ** Math.min(attempt + 1, 20))
}

/** Ends early, without an error, when the signal is aborted. */
export function pause(ms: number, signal?: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal?.addEventListener('abort', done)
  })
}
