import type { RunConfig } from '../../topologies/run-config.ts'
import type { CheckpointRef, InfluenceModel, Score } from '../../topologies/stations/influence.ts'
import { influenceCost } from '../model/cost.ts'
import { combined, createInfluence, type InfluenceOptions } from '../model/influence.ts'
import type { Model } from '../model/model.ts'
import { readReference } from '../model/reference.ts'
import type { Sequence } from '../model/sequences.ts'
import type { Service } from '../runtime/service.ts'
import { prepareReading } from '../runtime/stores/open-store.ts'

/** How a run's configuration wants rewards computed. */
export function influenceOptions(run: Pick<RunConfig, 'influence' | 'trainer'>): InfluenceOptions {
  const {
    windowsMax,
    context = run.trainer.context,
    estimator,
    hessian,
    preconditioner,
    damping,
    overlap,
    probeStep,
    combine,
  } = run.influence
  return {
    projectionSeed: run.influence.projectionSeed,
    normalize: run.influence.normalize,
    context,
    windows: windowsMax,
    ...(estimator !== undefined && { estimator }),
    ...(hessian !== undefined && { hessian }),
    ...(preconditioner !== undefined && { preconditioner }),
    ...(damping !== undefined && { damping }),
    ...(overlap !== undefined && { overlap }),
    ...(probeStep !== undefined && { probeStep }),
    ...(combine !== undefined && { combine }),
  }
}

/** The reference tasks that a run's rewards are measured against. */
export async function rewardTasks(
  run: Pick<RunConfig, 'influence' | 'trainer' | 'reference'>,
  model: Model,
  samplesMax: number,
): Promise<Sequence[][]> {
  const { reward, moreRewards = [] } = run.reference
  return await sequencesOf([reward, ...moreRewards], run, model, samplesMax)
}

async function sequencesOf(
  paths: readonly string[],
  { influence, trainer }: Pick<RunConfig, 'influence' | 'trainer'>,
  model: Model,
  samplesMax: number,
): Promise<Sequence[][]> {
  const tasks: Sequence[][] = []
  for (const path of paths)
    tasks.push(await readReference(path, model, influence.context ?? trainer.context, samplesMax))
  return tasks
}

/** Rewards of a run's documents from its reference tasks, at whatever checkpoint a request names. */
export async function createRunInfluence(run: RunConfig, model: Model, workers = 1): Promise<InfluenceModel & Service> {
  const options = influenceOptions(run)
  await prepareReading(run.checkpoints)
  const { samplesMax, other } = run.reference
  const wanted = await rewardTasks(run, model, samplesMax)
  // Other text is the last of the tasks, and not combined.
  const tasks = [...wanted, ...(await sequencesOf(other === undefined ? [] : [other], run, model, samplesMax))]
  const influence = createInfluence(model, { ...options, workers })
  const { influence: projected, train } = model.description.graphs
  const several = wanted.length > 1 ? `/${options.combine ?? 'mean'}-of-${wanted.length}` : ''
  const scoreRead = async (checkpoint: CheckpointRef, texts: readonly string[]) => {
    const { rewards, read } = await (await influence.at(checkpoint, tasks)).scoreRead(texts)
    const scores: Score[] = rewards.map((apart) =>
      tasks.length === 1
        ? apart[0]!
        : { reward: combined(apart.slice(0, wanted.length), options.combine ?? 'mean'), tasks: apart },
    )
    return { scores, read }
  }
  return {
    name: `influence of ${run.name}`,
    graphDigest: (options.estimator === 'probe' ? train : projected).sha256,
    estimator:
      influence.estimator +
      several +
      (other === undefined ? '' : '/other-text') +
      (model.device === 'cpu' ? '' : `/${model.device}`),
    projectionSeed: options.projectionSeed,
    cost: influenceCost(model, options.estimator ?? 'gradient', tasks.flat()),
    score: async (checkpoint, texts) => (await scoreRead(checkpoint, texts)).scores,
    scoreRead,
    prepared: async (checkpoint) => void (await influence.at(checkpoint, tasks)),
    // A failure here happens again, and is reported, when it is requested.
    prepare: (checkpoint) => void influence.at(checkpoint, tasks).catch(() => undefined),
    close: () => influence.close(),
  }
}
