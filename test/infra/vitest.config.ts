/** The suite of the stack: each evaluation is a process of its own, two at a time fit on two cores. */
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: { include: ['test/infra/*.test.ts'], testTimeout: 120_000, hookTimeout: 120_000, maxConcurrency: 2 },
})
