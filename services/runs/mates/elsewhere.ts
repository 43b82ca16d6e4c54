import type { LabelerFit } from '../../../schemas/index.ts'
import { probesMin } from '../../../topologies/mates/noise.ts'
import { inputsDigest, type Probe } from '../../../topologies/mates/probes.ts'
import type { ActorOfLabels, LabelerConfig } from '../../labeler/labeler.ts'
import { createLabeler } from '../../labeler/labeler.ts'
import { WinnowError } from '../../runtime/errors.ts'
import type { ProbesOfRun } from './probes-of-run.ts'
import { checkCount, measuredOn, textOf } from './stage.ts'

/**
 * Measures a labeler that was trained elsewhere on a run's probes: on those that the run holds out, which nobody can have trained on who trained on
 * `winnow mates probes`, if there are enough, else on all.
 * @throws WinnowError BAD_DATA for too few probes, for a text without a score, and for predictions that are no better than chance
 */
export async function measureElsewhere(
  given: ProbesOfRun,
  actor: ActorOfLabels,
  labeler: LabelerConfig,
  folder: string,
): Promise<LabelerFit> {
  const { run, rounds, probes, heldOut, rewardOffsets, checkpoint } = given
  checkCount(given)
  const unseen = heldOut.length >= probesMin
  const by = unseen ? heldOut : probes
  const predicted = await predictedBy(given, by, actor, labeler, folder)
  const settings = JSON.stringify({ regressor: 'elsewhere', measured: unseen ? 'held-out' : 'all' })
  return {
    ...{ run, rounds: rounds.map(({ round }) => round), rewardOffsets: [...rewardOffsets], checkpoint },
    ...{ probes: probes.length, inputs: inputsDigest({ run, rounds, probes, settings }), settings },
    ...measuredOn(
      given,
      by.map(({ loss }) => loss),
      predicted,
    ),
  }
}

async function predictedBy(
  given: ProbesOfRun,
  probes: readonly Probe[],
  actor: ActorOfLabels,
  labeler: LabelerConfig,
  folder: string,
): Promise<number[]> {
  const opened = await createLabeler(actor, labeler, folder)
  try {
    const labels = await opened.label(probes.map((probe) => ({ text: textOf(given, probe), meta: {} })))
    return labels.map((label, i) => {
      if (label.ok) return label.score
      throw new WinnowError('BAD_DATA', `the labeler gives document ${probes[i]!.docId} no score: ${label.message}`)
    })
  } finally {
    await opened.close()
  }
}
