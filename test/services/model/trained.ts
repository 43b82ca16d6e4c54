import { join } from 'node:path'
import { demoGraphs } from '../../../deploy/demo/model.ts'
import { createInfluence, type Influence, type InfluenceOptions } from '../../../services/model/influence.ts'
import { type Model, openModel } from '../../../services/model/model.ts'
import { documentWindows, type Sequence } from '../../../services/model/sequences.ts'
import { createTrainer } from '../../../services/model/trainer.ts'
import type { CheckpointRef } from '../../../topologies/stations/influence.ts'
import { generator, languageText, temporaryFolder } from './support.ts'

export const context = 64
export const languages = 5

/** The demo's model after 40 steps on made-up languages, and what rewards are asked for. */
export interface Trained extends AsyncDisposable {
  readonly folder: string
  readonly model: Model
  /** After 40 steps on all languages. */
  readonly trained: CheckpointRef
  /** Texts of language 0. */
  readonly reference: Sequence[]
  /** Four of each language, of several lengths. */
  readonly documents: number[][]
  influence(options?: Partial<InfluenceOptions>): Influence
}

export async function trainedModel(): Promise<Trained> {
  const folder = await temporaryFolder()
  const model = await openModel({ graphs: demoGraphs })
  const random = generator(5)
  const trainer = await createTrainer(model, {
    start: { seed: '3' },
    batch: 10,
    context: 32,
    learningRate: 5e-3,
    warmupSteps: 5,
    totalSteps: 80,
  })
  for (let k = 0; k < 40; k++)
    await trainer.step(
      Int32Array.from(Array.from({ length: 10 }, (_, row) => languageText(row % languages, 33, random)).flat()),
    )
  const path = join(folder.path, 'trained.safetensors')
  const trained = { path, digest: (await trainer.save(path)).digest }
  await trainer.close()
  const reference = Array.from({ length: 8 }, () => documentWindows(languageText(0, 40, random), context, 1)[0]!)
  return {
    folder: folder.path,
    model,
    trained,
    reference,
    documents: Array.from({ length: 20 }, (_, i) => languageText(i % languages, 12 + 3 * i, random)),
    influence: (options = {}) =>
      createInfluence(model, { projectionSeed: '11', normalize: 'none', context, ...options }),
    async [Symbol.asyncDispose]() {
      await model.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}
