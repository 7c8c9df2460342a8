/** Bytes that a piece of work holds at once. What would go beyond is refused before more is fetched. */
export class Room {
  readonly #bytesMax: number
  readonly #full: () => Error
  #bytes = 0

  constructor(bytesMax: number, full: () => Error) {
    this.#bytesMax = bytesMax
    this.#full = full
  }

  /** Errors: what the room was made with. */
  take(bytes: number): void {
    if (this.#bytes + bytes > this.#bytesMax) throw this.#full()
    this.#bytes += bytes
  }

  /** Errors: what the room was made with, where it would not have so much even if it were empty. */
  foresee(bytes: number): void {
    if (bytes > this.#bytesMax) throw this.#full()
  }

  give(bytes: number): void {
    this.#bytes -= bytes
  }
}
