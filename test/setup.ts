/** Property tests draw from one seed, which vitest.config.ts takes from the commit, or from SLUICE_SEED, and prints. */
import fc from 'fast-check'

fc.configureGlobal({ seed: Number(process.env.SLUICE_SEED) })
