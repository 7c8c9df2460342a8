/**
 * The memory of verified ranges: each counts its users and is let go with the last one, views of it are empty from then on.
 * Ranges that are read in passing share slabs, which are used again: fresh memory costs its pages, several times the read itself.
 */

/** What one read of the store brought, or a slab with what several did. */
export interface Memory {
  /** Readers that have not given it back, and kept ranges. */
  uses: number
  /** Where nothing else lies in it and letting it go is worth it. */
  readonly letGo: (() => void) | undefined
}

/** Smaller memory costs a collector little. */
const freedBytesMin = 16 * 1024

export function memoryOf({ buffer, length }: Uint8Array): Memory {
  const isOwn = buffer instanceof ArrayBuffer && buffer.byteLength === length && length >= freedBytesMin
  return { uses: 0, letGo: isOwn ? () => void buffer.transfer(0) : undefined }
}

export function giveBack(memory: Memory): void {
  memory.uses--
  if (memory.uses <= 0) memory.letGo?.()
}

const slabBytes = 512 * 1024

/** Where one range lies. */
export interface Place {
  readonly bytes: Uint8Array
  readonly memory: Memory
  /** What was asked for in front of it. */
  readonly front: Uint8Array
}

/** Room for the ranges of one read, which are placed one after the other. It is a user of its memory until it is closed. */
export interface SlabRoom {
  /** `front`: bytes in front of it, a multiple of 8. Undefined: not here. */
  place(bytes: number, front?: number): Place | undefined
  /** Nothing more is placed, and what was has users of its own. */
  close(): void
}

/** Slabs that wait for the next reader: at most `idleBytesMax`. */
export class Slabs {
  readonly #idleMax: number
  readonly #idle: ArrayBuffer[] = []

  constructor(idleBytesMax: number) {
    this.#idleMax = Math.floor(idleBytesMax / slabBytes)
  }

  get idleBytes(): number {
    return this.#idle.length * slabBytes
  }

  /** `expectedBytes`: of all that is to be placed; a slab is taken while at least half of it is filled. */
  room(expectedBytes: number): SlabRoom {
    let left = expectedBytes
    let slab: { readonly buffer: ArrayBuffer; readonly memory: Memory } | undefined
    let end = 0
    const held: Memory[] = []
    return {
      place: (bytes, front = 0) => {
        if (slab === undefined || end + front + bytes > slabBytes) {
          slab = undefined
          if (front + bytes > slabBytes || 2 * left < slabBytes) return undefined
          slab = this.#take()
          end = 0
          held.push(slab.memory)
        }
        const { buffer, memory } = slab
        const start = end + front
        const place = { bytes: new Uint8Array(buffer, start, bytes), memory, front: new Uint8Array(buffer, end, front) }
        left -= bytes
        end = (start + bytes + 7) & ~7
        return place
      },
      close: () => held.splice(0).forEach(giveBack),
    }
  }

  /** The caller is its user. */
  #take(): { readonly buffer: ArrayBuffer; readonly memory: Memory } {
    const buffer = this.#idle.pop() ?? new ArrayBuffer(slabBytes)
    return { buffer, memory: { uses: 1, letGo: () => this.#put(buffer) } }
  }

  /** The memory goes on under another name, so that whoever still holds a view reads nothing, instead of what is another's. */
  #put(buffer: ArrayBuffer): void {
    const memory = buffer.transfer(this.#idle.length < this.#idleMax ? slabBytes : 0)
    if (memory.byteLength > 0) this.#idle.push(memory)
  }
}
