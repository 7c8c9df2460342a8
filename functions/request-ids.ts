/** Request ids: unique in a process by a counter, across processes by a random prefix; short, for logs and people. */
import { hex } from '../core/kernel/bytes.ts'
import type { Random } from '../core/kernel/random.ts'

export function requestIds(random: Random): () => string {
  const prefix = hex(random.bytes(5))
  let count = 0
  return () => `${prefix}-${(count++).toString(36).padStart(4, '0')}`
}
