/**
 * The product in one process, constructed as functions/ does: the stores' own decorators over the ports, one log over
 * the world. Nothing of the product is changed, replaced or told that it is simulated.
 */
import { Kv } from '../../core/kv/kv.ts'
import { Log } from '../../core/log/log.ts'
import type { World } from '../../core/ports/world.ts'
import { inlineObjects } from '../../stores/decorators/inline.ts'
import { retryCatalog, retryDefaults, retryItems, retryObjects } from '../../stores/decorators/retry.ts'
import { SimulatedCatalog, type SimulatedTables } from './catalog.ts'
import { type ItemsState, SimulatedItems } from './items.ts'
import type { Network } from './network.ts'
import { type ObjectsState, SimulatedObjects } from './objects.ts'
import { simulatedParquet } from './parquet.ts'
import type { Process } from './process.ts'
import { type QueueState, SimulatedQueue } from './queue.ts'
import type { Seeded } from './random.ts'
import type { Swarm } from './swarm.ts'

export interface Stores {
  readonly objects: ObjectsState
  readonly items: ItemsState
  readonly queue: QueueState
  readonly catalog: SimulatedTables
}

export function buildProduct(
  process: Process,
  parts: { readonly network: Network; readonly stores: Stores; readonly random: Seeded; readonly swarm: Swarm },
): { readonly world: World; readonly log: Log; readonly kv: Kv } {
  const { network, stores, random, swarm } = parts
  const own = random.fork()
  const { clock } = process
  const policy = { ...retryDefaults, clock, random: own }
  const rawObjects = new SimulatedObjects(process, network, stores.objects)
  const rawItems = new SimulatedItems(process, network, stores.items)
  const items = swarm.retries ? retryItems(rawItems, policy) : rawItems
  const objects = swarm.retries ? retryObjects(rawObjects, policy) : rawObjects
  const rawCatalog = new SimulatedCatalog(process, network, { state: stores.catalog, random: own, objects })
  const catalog = swarm.retries ? retryCatalog(rawCatalog, policy) : rawCatalog
  const world: World = {
    ...(swarm.external && { catalogs: new Map([[catalog.name, catalog]]) }),
    objects: swarm.inline ? inlineObjects({ objects, items, clock }) : objects,
    items,
    queue: new SimulatedQueue(process, network, stores.queue),
    clock,
    random: own,
    lakeReader: simulatedParquet(clock),
  }
  const log = new Log(world, swarm.group)
  // In so little memory the tails of few keys push each other out.
  const cacheBytesMax = swarm.group.groupsInFlightMax === 8 ? 1 << 12 : swarm.group.cacheBytesMax
  return { world, log, kv: new Kv(world, log, { ...swarm.group, cacheBytesMax }) }
}
