/**
 * The known name that a misspelt one most likely meant. Bounded: at most 256 candidates of at most 64 characters are
 * compared, so that a hostile name costs microseconds.
 */
const candidatesMax = 256
const lengthMax = 64

/** Undefined when nothing is close: more than a third of the letters (at least two) would have to change. */
export function nearest(name: string, names: Iterable<string>): string | undefined {
  if (name.length > lengthMax) return undefined
  const wanted = name.toLowerCase()
  const distanceMax = Math.max(2, Math.floor(wanted.length / 3))
  let best: string | undefined
  let bestDistance = distanceMax + 1
  let seen = 0
  for (const candidate of names) {
    if (seen++ >= candidatesMax) break
    if (candidate.length > lengthMax || Math.abs(candidate.length - wanted.length) >= bestDistance) continue
    const distance = editDistance(wanted, candidate.toLowerCase())
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** A sentence part for messages: `; did you mean "id"?` or nothing. */
export function suggestion(name: string, names: Iterable<string>): string {
  const near = nearest(name, names)
  return near === undefined ? '' : `; did you mean ${quoted(near)}?`
}

/** A name from outside, safe and short enough for a message. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > lengthMax ? `${name.slice(0, lengthMax)}…` : name)
}

/** Edits between two texts; swapped neighbours are one edit (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before = new Int32Array(b.length + 1)
  let previous = Int32Array.from({ length: b.length + 1 }, (_, i) => i)
  let current = new Int32Array(b.length + 1)
  for (let i = 1; i <= a.length; i++) {
    current[0] = i
    for (let j = 1; j <= b.length; j++) {
      const same = a.charCodeAt(i - 1) === b.charCodeAt(j - 1)
      let cost = Math.min((previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + (same ? 0 : 1))
      const swapped = i > 1 && j > 1 && a.charCodeAt(i - 1) === b.charCodeAt(j - 2) && a.charCodeAt(i - 2) === b.charCodeAt(j - 1)
      if (swapped) cost = Math.min(cost, (before[j - 2] ?? 0) + 1)
      current[j] = cost
    }
    const free = before
    before = previous
    previous = current
    current = free
  }
  return previous[b.length] ?? 0
}
