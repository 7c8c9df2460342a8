/** Writing runs and manifests: immutable objects that nothing refers to until a publication does. */
import { crc32 } from 'node:zlib'
import { objectKey } from '../../format/items/entry.ts'
import type { ManifestRef } from '../../format/items/kv.ts'
import { withGuidesBounded } from '../../format/run/guide.ts'
import { encodeManifest, type ObjectPlace, type RunRef } from '../../format/run/manifest.ts'
import { RunWriter } from '../../format/run/run.ts'
import type { Pieces } from '../../kernel/bytes.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { type Label, randomId } from '../../kernel/ids.ts'
import { limits } from '../../kernel/limits.ts'
import type { BucketRef } from '../../model/partition.ts'
import type { World } from '../../ports/world.ts'
import type { Sorted } from '../sorted.ts'

export interface RunWriting {
  readonly world: World
  readonly tableId: string
  readonly at: BucketRef
  readonly label: Label
  readonly runBytesMax: number
}

/** Of records in key order. Nothing for none. */
export async function writeRuns(writing: RunWriting, level: number, lists: Sorted): Promise<readonly RunRef[]> {
  const runs: RunRef[] = []
  let run = new RunWriter()
  for await (const list of lists)
    for (const record of list) {
      run.add(record)
      if (run.recordBytes < writing.runBytesMax) continue
      runs.push(await writeRun(writing, level, run))
      run = new RunWriter()
    }
  if (run.recordBytes > 0) runs.push(await writeRun(writing, level, run))
  return runs
}

async function writeRun(writing: RunWriting, level: number, writer: RunWriter): Promise<RunRef> {
  const { pieces, ...run } = writer.finish()
  return { level, object: await writeObject(writing, pieces, run.bytes), ...run }
}

export async function writeManifest(writing: RunWriting, runs: readonly RunRef[]): Promise<ManifestRef> {
  const bytes = encodeManifest(withGuidesBounded(runs))
  return { object: await writeObject(writing, bytes, bytes.length), bytes: bytes.length, crc: crc32(bytes) }
}

async function writeObject({ world, tableId, at, label }: RunWriting, pieces: Pieces, bytes: number): Promise<ObjectPlace> {
  for (let attempt = 0; attempt < namesMax; attempt++) {
    const place = {
      label,
      random: randomId(world.random),
      inline: bytes < limits.inlineObjectBytesMax,
      directory: at.bucket % 256,
    }
    if ((await world.objects.create(objectKey(tableId, place), pieces)) === 'created') return place
  }
  throw new SluiceError('internal', 'three random object names were taken')
}

const namesMax = 3
