import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Campaign, ProxyModel } from '../../schemas/index.ts'
import { recordedConfig } from '../../topologies/run-config.ts'
import { parametersOf } from '../model/cost.ts'
import { readDescription } from '../model/description.ts'
import { type Model, type ModelOptions, openModel } from '../model/model.ts'
import { graphsFolder, isShipped } from '../model/shipped.ts'
import { WinnowError } from '../runtime/errors.ts'

/** The models of a campaign, by `model` of its proxies' runs. */
export interface Models extends AsyncDisposable {
  readonly of: (graphs: string) => Model
}

/** Opens every model that the proxies of a campaign are trained on. */
export async function openModels(campaign: Campaign, resources: Omit<ModelOptions, 'graphs'>): Promise<Models> {
  const { model } = recordedConfig({ run: campaign.campaign, config: campaign.config })
  const names = campaign.models.length === 0 ? [model] : campaign.models.map((one) => one.model)
  await using opened = new AsyncDisposableStack()
  const models = new Map<string, Model>()
  for (const graphs of names) models.set(graphs, opened.use(await openModel({ graphs, ...resources })))
  const held = opened.move()
  return { of: (graphs) => models.get(graphs)!, [Symbol.asyncDispose]: () => held.disposeAsync() }
}

/**
 * Models of several sizes, ascending, as a campaign records them. Losses per token can be compared under one tokenizer alone.
 * @param folder that paths are relative to
 * @throws WinnowError CONFIGURATION, MODEL_UNUSABLE
 */
export async function modelSizes(given: readonly string[], folder: string): Promise<ProxyModel[]> {
  const models: (ProxyModel & { readonly given: string; readonly tokenizer: string })[] = []
  for (const one of given) {
    const model = isShipped(one) ? one : resolve(folder, one)
    const graphs = graphsFolder(model)
    const description = await readDescription(graphs)
    const tokenizer = createHash('sha256')
      .update(`${description.config.vocab_size} ${description.endOfText} `)
      .update(await readFile(join(graphs, 'tokenizer.json')))
      .digest('hex')
    models.push({ given: one, model, parameters: parametersOf(description).parametersAll, tokenizer })
  }
  models.sort((a, b) => a.parameters - b.parameters)
  for (const [at, { given: name, parameters, tokenizer }] of models.entries()) {
    const before = models[at - 1]
    if (before === undefined) continue
    if (tokenizer !== before.tokenizer) {
      throw new WinnowError('CONFIGURATION', `${before.given} and ${name} have different tokenizers`, {
        hint: 'Losses per token can be compared under one tokenizer alone: export all sizes with the same tokenizer.json.',
      })
    }
    if (parameters === before.parameters) {
      throw new WinnowError('CONFIGURATION', `${before.given} and ${name} both have ${parameters} parameters`, {
        hint: 'A law of sizes needs different ones: leave one out.',
      })
    }
  }
  return models.map(({ model, parameters }) => ({ model, parameters }))
}
