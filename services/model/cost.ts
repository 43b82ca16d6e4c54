import { forward, forwardAndBackward, type ModelCost } from '../../topologies/ledger/pieces.ts'
import type { InfluenceCost } from '../../topologies/stations/influence.ts'
import type { ModelDescription } from './description.ts'
import { tokensIn } from './influence.ts'
import type { Model } from './model.ts'
import { sizeOf } from './safetensors-header.ts'
import type { Sequence } from './sequences.ts'

/** Names of tables that are looked up by token or position, as the families of exported models have them. */
const tokenTable = /(^|\.)(embed_tokens|wte|embed_in|word_embeddings|tok_embeddings)\./
const positionTable = /(^|\.)(wpe|embed_positions|position_embeddings)\./
const outputLayer = /(^|\.)(lm_head|embed_out)\.|^output\./

/**
 * A causal model's parameters: all, and those that multiply, that is matrices without tables that are only looked up. A model whose output layer
 * is its token table multiplies by that.
 */
export function parametersOf({ parameters }: Pick<ModelDescription, 'parameters'>): {
  parameters: number
  parametersAll: number
} {
  const tied = !parameters.some(({ name }) => outputLayer.test(name))
  const multiplies = ({ name, shape }: (typeof parameters)[number]) =>
    shape.length > 1 && !positionTable.test(name) && (tied || !tokenTable.test(name))
  const sum = (some: typeof parameters) => some.reduce((total, { shape }) => total + sizeOf(shape), 0)
  return { parameters: sum(parameters.filter(multiplies)), parametersAll: sum(parameters) }
}

/** A pass of a causal model over tokens; `factor` says which. */
export const modelCost = (
  { description, device }: Pick<Model, 'description' | 'device'>,
  factor: number,
): ModelCost => ({
  model: description.name,
  device,
  ...parametersOf(description),
  factor,
})

/**
 * What rewards cost. `gradient`: a forward and a backward pass over each document and each reference sample, and the projection of every linear
 * layer's activations and slopes. `probe`: a step on the document, then a forward pass over the whole reference.
 */
export function influenceCost(
  model: Pick<Model, 'description' | 'device'>,
  estimator: 'gradient' | 'probe',
  reference: readonly Sequence[],
): InfluenceCost {
  const tokens = tokensIn(reference)
  const both = modelCost(model, forwardAndBackward)
  if (estimator === 'probe') {
    const pass = modelCost(model, forward)
    return {
      purpose: 'probes',
      documents: { ...both, flopsPerDocument: forward * both.parameters * tokens },
      reference: { ...pass, sequences: reference.length, tokens },
    }
  }
  const projected = { ...both, flopsPerToken: projectionPerToken(model.description) }
  return {
    purpose: 'rewards',
    documents: projected,
    reference: { ...projected, sequences: reference.length, tokens },
  }
}

/** P_in of the activations and P_out of the slopes, then their outer product, per token and layer. */
function projectionPerToken({ projection: { kIn, kOut, modules } }: Pick<ModelDescription, 'projection'>): number {
  return modules.reduce((sum, { inSize, outSize }) => sum + 2 * (inSize * kIn + outSize * kOut + kIn * kOut), 0)
}
