/** Randomness as a dependency, so that a whole cluster runs inside one seeded test. */
export interface Random {
  bytes(count: number): Uint8Array
}
