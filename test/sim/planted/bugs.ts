/** The bugs of shared/promises.md, each in one place of the source. */
import type { PlantedBug } from './plant.ts'

export const plantedBugs: readonly PlantedBug[] = []
