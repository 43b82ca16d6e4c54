import type { ModelFile } from '../hashed/model.ts'
import { defaultFeatures, defaultFit, type TrainOptions, train } from '../train.ts'
import { fieldOf, readAnnotations } from '../training/rows.ts'

export interface TrainCommandOptions
  extends Pick<TrainOptions, 'kind' | 'annotations' | 'corpus' | 'textFields' | 'out'> {
  /** Field of the annotations; default: the only one that holds what `kind` asks for. */
  task?: string
  /** Default: the annotations' own, in alphabetical order. */
  classes?: string[]
  auxiliaryFields?: string[]
  seed?: number
  folds?: number
  balance?: number
  features?: Partial<TrainOptions['features']>
  fit?: Partial<TrainOptions['fit']>
}

/** Regularization strengths that suit a thousand annotations of each kind. */
const strengths = { regression: { l2: 3e-4, balance: 0 }, classification: { l2: 1e-3, balance: 0.5 } } as const

/** Trains a hashed model with defaults for what is omitted; see `train`. @throws WinnowError BAD_DATA, USAGE */
export async function trainCommand(
  options: TrainCommandOptions,
  progress?: (step: string) => void,
): Promise<ModelFile> {
  const { kind, annotations } = options
  const task = options.task ?? (await fieldOf(annotations, kind))
  const { l2, balance } = strengths[kind]
  return await train(
    {
      ...options,
      task,
      classes: kind === 'regression' ? [] : (options.classes ?? (await classesOf(annotations, task))),
      auxiliaryFields: options.auxiliaryFields ?? [],
      seed: options.seed ?? 0,
      folds: options.folds ?? 5,
      balance: options.balance ?? balance,
      features: { ...defaultFeatures, ...options.features },
      fit: { ...defaultFit, l2, ...options.fit },
    },
    progress,
  )
}

/** The class names used in the annotations; anything else in the field is refused later, with its line. */
async function classesOf(annotations: string, field: string): Promise<string[]> {
  const names = (await readAnnotations(annotations, field)).flatMap(({ value }) =>
    typeof value === 'string' ? [value] : [],
  )
  return [...new Set(names)].sort()
}
