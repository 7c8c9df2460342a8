/** A manifest so small that it lies in an item beside the snapshot's: the same runs, with longer parts. */
import { partsBytesMax, withParts } from './guide.ts'
import { encodeManifest, type RunRef } from './manifest.ts'

/** What is written once more after a fold costs as much as an object. */
const briefBytesMax = 8 * 1024
/** About a block. */
const partBytesLeast = 16 * 1024

/** As manifests are encoded. Undefined: it would be too large, or its parts longer than a reader reads at once. */
export function briefManifest(runs: readonly RunRef[]): Uint8Array | undefined {
  const partBytesMax = partsBytesMax / spansOf(runs) - partBytesLeast
  let brief = runs
  for (let bytes = partBytesLeast; ; bytes *= 2) {
    const encoded = encodeManifest(brief)
    if (encoded.length <= briefBytesMax) return encoded
    if (bytes > partBytesMax) return undefined
    brief = withParts(runs, bytes)
  }
}

/** Of how many runs a key may be: those of level 0 overlap, those of one other level do not. */
function spansOf(runs: readonly RunRef[]): number {
  const top = runs.filter(({ level }) => level === 0).length
  return top + new Set(runs.map(({ level }) => level).filter((level) => level > 0)).size
}
