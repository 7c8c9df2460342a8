/**
 * The three kinds of tests that need no network and no foreign runtime. `unit` stands beside the code; its files share
 * modules in a worker, which takes half the time, so no module may keep state. `http` talks to a server of its own on a
 * free port, `sim` runs the simulation's own tests. Suites with other needs (test/wire, test/infra, test/crash) have
 * runners of their own.
 */
import { configDefaults, defineConfig } from 'vitest/config'
import { commitSeed } from './test/seed.ts'

const seed = process.env.SLUICE_SEED ?? String(commitSeed())
console.log(`seed of the property tests: ${seed} (again with SLUICE_SEED=${seed})`)

const beside = '{core,contract,stores,functions,serve,cli,client,bench}'

export default defineConfig({
  test: {
    pool: 'threads',
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 20_000,
    // A process that is started on a busy machine takes more than the second of the default.
    expect: { poll: { timeout: 15_000 } },
    env: { SLUICE_SEED: seed },
    setupFiles: ['./test/setup.ts'],
    exclude: [...configDefaults.exclude, '**/node_modules/**', 'test/{wire,infra,interop,crash,browser}/**'],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          isolate: false,
          include: [`${beside}/**/*.test.ts`, 'test/{reproductions,house}/**/*.test.ts'],
          exclude: ['test/house/readme.test.ts'],
        },
      },
      { extends: true, test: { name: 'http', include: ['test/http/**/*.test.ts', 'test/house/readme.test.ts'], pool: 'forks' } },
      { extends: true, test: { name: 'sim', include: ['test/sim/**/*.test.ts'] } },
    ],
  },
})
