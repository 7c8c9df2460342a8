/** Work on many things, a few at once. After a failure nothing new is begun, and nothing runs behind the error that is thrown. */
export async function mapAtOnce<T, R>(
  things: readonly T[],
  atOnce: number,
  work: (thing: T, index: number) => Promise<R>,
): Promise<readonly R[]> {
  const results = new Array<R>(things.length)
  let next = 0
  let failed = false
  const worker = async (): Promise<void> => {
    while (next < things.length && !failed) {
      const index = next++
      try {
        results[index] = await work(things[index] as T, index)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  const settled = await Promise.allSettled(Array.from({ length: Math.min(atOnce, things.length) }, worker))
  for (const outcome of settled) if (outcome.status === 'rejected') throw outcome.reason
  return results
}
