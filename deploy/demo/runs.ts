import { join } from 'node:path'
import type { ActorLabels } from '../../services/config/config.ts'
import { parseRunConfig, type RunConfig } from '../../topologies/run-config.ts'
import type { CorpusManifest } from './corpus.ts'
import { demoModel } from './model.ts'

/** What the rewards measure; README, "What you will see", says why this is a fair question. */
export const demoReference = 'fiction'

/** Round 0 and six reselections. */
const rounds = 7
export const stepsDefault = 1050

/**
 * The demo's two runs over the same corpus, from the same initial weights and with the same budget: the multi-actor run, and a control
 * whose thetas are 0, so that every document has the same score and each round draws at random.
 */
export function demoRuns(options: {
  seed: number
  /** Optimizer steps of each run, in seven stages of equal length. */
  steps: number
  actors: readonly ActorLabels[]
  versions: Readonly<Record<string, string>>
  manifest: CorpusManifest
  folder: string
}): { collaborative: RunConfig; control: RunConfig } {
  const { seed, steps, actors, versions, manifest, folder } = options
  const { reward, eval: evaluation } = manifest.references[demoReference]
  const run = (name: string, actor: object, sampleDocuments: number) =>
    parseRunConfig({
      name: `${name}-${seed}`,
      selection: {
        seed,
        actors: Object.fromEntries(
          actors.map(({ name: of, subcategories }) => [of, { subcategories, eta: 0.5, ...actor }]),
        ),
        // With raw rewards of this size the initial weights would dominate every round; see SELECTION.md, "Actors".
        rewardTransform: { kind: 'standardize' },
        unrewarded: 'mean',
        budget: { documents: Math.floor(manifest.corpus.documents / 4) },
      },
      updateSteps: Math.max(1, Math.floor(steps / rounds)),
      steps,
      sampleDocuments,
      rewardDeadlineSeconds: 600,
      labelers: versions,
      reference: { reward, evaluation, corpus: manifest.generalEval, samplesMax: 192 },
      model: demoModel,
      checkpoints: join(folder, 'checkpoints'),
    })
  return { collaborative: run('multi-actor', {}, 20), control: run('random', { initialTheta: 0 }, 0) }
}
