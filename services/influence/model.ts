import type { RunConfig } from '../../topologies/run-config.ts'
import type { InfluenceModel } from '../../topologies/stations/influence.ts'
import type { Service } from '../host/services.ts'
import { createInfluence } from '../model/influence.ts'
import type { Model } from '../model/model.ts'
import { readReference } from '../trainer/reference.ts'

/** Rewards of a run's documents from its reference task, at whatever checkpoint a request names. */
export async function createRunInfluence(run: RunConfig, model: Model): Promise<InfluenceModel & Service> {
  const { context } = run.trainer
  const { normalize, projectionSeed, windowsMax } = run.influence
  const reference = await readReference(run.reference.reward, model, context, run.reference.samplesMax)
  const influence = createInfluence(model, { projectionSeed, normalize, context, windows: windowsMax })
  return {
    name: `influence of ${run.name}`,
    graphDigest: model.description.graphs.influence.sha256,
    estimator: influence.estimator,
    projectionSeed,
    async score(checkpoint, texts) {
      // Computed once a checkpoint, however many batches ask.
      await influence.setReference(checkpoint, reference)
      return influence.score(checkpoint, texts)
    },
    close: () => influence.close(),
  }
}
