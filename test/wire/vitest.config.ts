/** Run by run.sh, which starts the servers first and passes their addresses. */
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: { include: ['**/*.wire.test.ts'], testTimeout: 60_000, hookTimeout: 60_000, fileParallelism: false },
})
