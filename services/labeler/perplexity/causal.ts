import type { ModelCost } from '../../../topologies/ledger/pieces.ts'

/** The likelihood of a text under a model. */
export interface Likelihood {
  /** Of all targets together: -ln p, in nats. */
  readonly nll: number
  /** Tokens that have a token before them. */
  readonly targets: number
  /** Tokens that the model read, those that windows repeat included. */
  readonly read: number
}

/** How texts are read: windows of `size` tokens, of which the model can take that many. */
export interface CausalReading {
  readonly size: number
  readonly overlap: number
  readonly limit: number
}

/** A causal model's files. */
export interface CausalFiles {
  /** SHA-256 of all that decides the likelihoods. */
  readonly digest: string
  /** The longest window; Infinity if the model does not say. */
  readonly positions: number
  /** Golden outputs are, or would be, here. */
  readonly goldenFile: string
}

/** A causal model exported to ONNX as Optimum does it. */
export interface ExportedModel extends CausalFiles {
  readonly folder: string
  readonly file: string
  readonly vocabulary: number
}

/** A causal model that runs. */
export interface Causal {
  readonly cost: ModelCost
  likelihoods(texts: readonly string[], reading: CausalReading): Promise<Likelihood[]>
  close(): Promise<void>
}

/** Upper bound of a token's average length: of longer texts only this many characters per token to be read are tokenized. */
const charactersPerToken = 16

/** The part of a text that is read, without lone surrogates. */
export const startOf = (text: string, { size, limit }: CausalReading): string =>
  text.slice(0, size * limit * charactersPerToken).toWellFormed()
