import { join } from 'node:path'
import type { ActorLabels } from '../../services/config/config.ts'
import { parseRunConfig, type RunConfig } from '../../topologies/run-config.ts'
import type { CorpusManifest, ReferenceName } from './corpus.ts'
import { demoModel } from './model.ts'

/** What the rewards measure unless told; README, "What you will see", says why this is a fair question. */
export const referenceDefault: ReferenceName = 'fiction'

export const trainerNames = ['typescript', 'python'] as const
/** What steps the model: the reference trainer of winnow, or the same in Python, by PyTorch. */
export type TrainerName = (typeof trainerNames)[number]
const python = 'python'

/** Whether a run of the demo is one that PyTorch trains. */
export const isByPython = (run: string): boolean => run.split('-').at(-2) === python

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
  reference: ReferenceName
  trainer?: TrainerName
}): { collaborative: RunConfig; control: RunConfig } {
  const { seed, steps, actors, versions, manifest, folder, reference: measured, trainer = 'typescript' } = options
  const { reward, eval: evaluation } = manifest.references[measured]
  // A run is never changed: with another reference or trainer it is another run, beside the first.
  const of = [measured === referenceDefault ? [] : [measured], trainer === 'python' ? [python] : [], `${seed}`]
    .flat()
    .join('-')
  const run = (name: string, actor: object, sampleDocuments: number) =>
    parseRunConfig({
      name: `${name}-${of}`,
      selection: {
        seed,
        actors: Object.fromEntries(
          actors.map(({ name: named, subcategories }) => [named, { subcategories, eta: 0.5, ...actor }]),
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
