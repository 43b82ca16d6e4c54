import type { Compression } from '../compression/compression.ts'

/** What a file's first bytes tell. */
export type Format =
  | { readonly kind: 'lines'; readonly compression: Compression }
  | { readonly kind: 'parquet' }
  | Foreign

/** A format that is not supported. */
export interface Foreign {
  readonly kind: 'foreign'
  /** What it is, in words: `an xz archive`. */
  readonly what: string
  /** What to do about it. */
  readonly advice: Advice
  /** JSON as used for settings and descriptions, which lie beside data. */
  readonly jsonDocument?: boolean
}

/** A command that turns the file, or another command's output, into rows; or a sentence. */
export type Advice = { readonly filter: string } | { readonly sentence: string }

/** A source's first bytes, and whether they are all of it. */
export interface Head {
  readonly head: Buffer
  readonly whole: boolean
}

export const foreign = (what: string, advice: Advice): Foreign => ({ kind: 'foreign', what, advice })
