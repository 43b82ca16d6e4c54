import type { Compression } from '../compression/compression.ts'

/** What is known of a file by its first bytes. */
export type Format =
  | { readonly kind: 'lines'; readonly compression: Compression }
  | { readonly kind: 'parquet' }
  | Foreign

/** A format that winnow does not read. */
export interface Foreign {
  readonly kind: 'foreign'
  /** What it is, in a person's words: `an xz archive`. */
  readonly what: string
  /** What to do about it. */
  readonly advice: Advice
  /** It is JSON as it is used for settings and descriptions, which lie beside data. */
  readonly jsonDocument?: boolean
}

/** A command that makes rows of the file, or of what another command gives it; or a sentence. */
export type Advice = { readonly filter: string } | { readonly sentence: string }

/** A source's first bytes, and whether they are all of it. */
export interface Head {
  readonly head: Buffer
  readonly whole: boolean
}

export const foreign = (what: string, advice: Advice): Foreign => ({ kind: 'foreign', what, advice })
