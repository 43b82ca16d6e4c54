import { WinnowError } from '../../runtime/errors.ts'
import type { ModelDescription } from '../description.ts'
import type { FloatTensor } from '../safetensors.ts'

/** What some versions of transformers store besides parameters: tables that the graphs compute themselves. */
const tables = /\.(rotary_emb\.inv_freq|(attn|attention)\.(bias|masked_bias))$/

/** If a model's head shares the embedding's weights, they may be stored a second time. */
const heads = /^(lm_head|embed_out)\.weight$/

/**
 * Refuses tensors that the graphs do not have: a checkpoint of a deeper model contains all that a shallower one needs.
 * @throws WinnowError BAD_DATA
 */
export function refuseStrangers(path: string, names: Iterable<string>, { parameters, config }: ModelDescription): void {
  const known = new Set(parameters.flatMap(({ name }) => [name, `m.${name}`, `v.${name}`]))
  const mayRepeatHead = config.tie_word_embeddings !== false
  for (const name of names) {
    if (known.has(name) || tables.test(name) || (mayRepeatHead && heads.test(name))) continue
    throw unfit(path, `the graphs have no parameter ${name}`)
  }
}

/** @throws WinnowError BAD_DATA if a checkpoint lacks a tensor or has it in another shape. */
export function fitting(
  path: string,
  name: string,
  found: { tensors: ReadonlyMap<string, FloatTensor>; shapes: ReadonlyMap<string, readonly number[]> },
  shape: readonly number[],
): FloatTensor {
  const tensor = found.tensors.get(name)
  const has = found.shapes.get(name)
  if (tensor === undefined || String(has) !== String(shape))
    throw unfit(
      path,
      `${name} is ${has === undefined ? 'missing' : `[${has}]`}, expected [${shape}]`,
      name.startsWith('v.') && has === undefined
        ? 'The checkpoint holds no moments of Adam; choose influence.preconditioner: none.'
        : undefined,
    )
  return tensor
}

function unfit(
  path: string,
  reason: string,
  hint = 'Use a checkpoint of this model, or the graphs it was trained with.',
): WinnowError {
  return new WinnowError('BAD_DATA', `${path} does not fit the model: ${reason}`, { hint })
}
