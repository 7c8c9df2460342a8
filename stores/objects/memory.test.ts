import { objectStoreCases } from '../../core/ports/objects.case.ts'
import { MemoryObjects } from './memory.ts'

objectStoreCases('the memory', async () => ({ objects: new MemoryObjects() }))
