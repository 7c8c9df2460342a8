import { itemStoreCases } from '../../core/ports/items.case.ts'
import { MemoryItems } from './memory.ts'

itemStoreCases('the memory', async () => ({ items: new MemoryItems() }))
