/**
 * The codec believes the count of a block of items, and would go on for 2^53 of them behind the end of the bytes. Each item of what is
 * read here has a byte at least (avro-projection.ts), so a count of more than there are bytes is the end of the file for it.
 */
import avro from 'avsc'

/** As the codec has it. */
interface Tap {
  readonly buf: Buffer
  /** Behind the end of `buf`: what was read is not valid. */
  pos: number
  readLong(): number
  readString(): string
}

interface Read {
  _read(tap: Tap): unknown
}

const { ArrayType, MapType } = avro.types

class BoundedArray extends ArrayType {
  _read(tap: Tap): unknown {
    const items = this.itemsType as unknown as Read
    const values: unknown[] = []
    readBlocks(tap, () => values.push(items._read(tap)))
    return values
  }
}

class BoundedMap extends MapType {
  _read(tap: Tap): unknown {
    const values = this.valuesType as unknown as Read
    const map: Record<string, unknown> = Object.create(null)
    readBlocks(tap, () => {
      const key = tap.readString()
      map[key] = values._read(tap)
    })
    return map
  }
}

/** For the codec's option of this name: whoever reads by a type is held to the bytes that there are. */
export function typeHook(schema: unknown, options: object): avro.Type | undefined {
  const kind = typeof schema === 'object' && schema !== null && 'type' in schema ? schema.type : undefined
  if (kind === 'array') return new BoundedArray(schema as never, options)
  return kind === 'map' ? new BoundedMap(schema as never, options) : undefined
}

function readBlocks(tap: Tap, readItem: () => void): void {
  for (let count = readCount(tap); count !== 0; count = readCount(tap)) {
    if (!(count <= tap.buf.length - tap.pos)) {
      tap.pos = tap.buf.length + 1
      return
    }
    for (let i = 0; i < count && tap.pos <= tap.buf.length; i++) readItem()
  }
}

/** Below zero a size in bytes follows, for those that skip. */
function readCount(tap: Tap): number {
  const count = tap.readLong()
  if (count >= 0) return count
  tap.readLong()
  return -count
}
