/** A weights file, or the index of a sharded one, and what it must contain, so that a replaced or half-written file is noticed. */
export interface Checkpoint {
  path: string
  /** SHA-256, hexadecimal; see read.ts. */
  digest: string
}
