/** One suite in one browser; the files run by run.sh alone. */
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: { include: ['test/browser/**/*.browser.test.ts'], testTimeout: 60_000, hookTimeout: 60_000, pool: 'forks' },
})
