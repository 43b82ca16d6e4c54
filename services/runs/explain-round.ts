import type { ExplainedDocument, Explanation } from '../../topologies/explain.ts'
import { type Flips, flipsOf, type WeightSource, weightSources } from '../../topologies/explain-weights.ts'
import { configurationBy } from '../../topologies/rounds/configuration.ts'
import { mappedWeights } from '../../topologies/rounds/subcategories.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { heldOutOf } from '../../topologies/selection/hold-out.ts'
import type { Runtime } from '../connections/connections.ts'
import { WinnowError } from '../runtime/errors.ts'
import { readRecordedRun } from './recorded.ts'
import { ledgerOf } from './replay/replay.ts'

/** A round's verdict on a document, down to the rewards. */
export interface ExplainedRound {
  readonly sources: readonly WeightSource[]
  readonly flips: Flips
  /** How rewards are changed before they are folded; `by` of a flip is in that unit. */
  readonly rewardTransform: string
}

/** @throws WinnowError CONFIGURATION if the run has not selected in this round, or by the scores of documents */
export async function explainRound(
  runtime: Runtime,
  recorded: RunConfig,
  document: ExplainedDocument,
  explanation: Explanation,
): Promise<ExplainedRound> {
  const log = await readRecordedRun(runtime, recorded.name)
  const configuration = configurationBy(recorded, log.opened)
  const { selection } = configuration.at(explanation.round)
  if (selection.strategy !== undefined && selection.strategy.score.kind !== 'actors')
    throw new WinnowError(
      'CONFIGURATION',
      `run ${recorded.name} does not select by its actors: no weights stand behind its scores`,
    )
  const at = log.manifests.findIndex(({ round }) => round === explanation.round)
  const manifest = log.manifests[at]!
  const previous = log.manifests[at - 1]
  const names = selection.actors.map(({ name }) => name)
  const ledger = await ledgerOf(runtime, recorded, log, manifest.round)
  const closed = log.closed.find(({ round }) => round === manifest.round)
  const isHeldOut = heldOutOf(selection, manifest.round)
  const answers = names.map((name) =>
    (ledger?.answers(name, closed?.rewardOffsets ?? []) ?? []).filter(({ docId }) => isHeldOut?.(docId) !== true),
  )
  const promoted = log.opened.find(({ round }) => round === manifest.round)?.promoted
  const before = names.map((name) => {
    if (promoted) return promoted.actors.find(({ actor }) => actor === name)?.weights
    const weights = previous?.weights[previous.actors.indexOf(name)]
    return weights && configuration.mappingsAt(name, manifest.round).reduce(mappedWeights, weights)
  })
  const sources = weightSources(selection, manifest, document, before, answers)
  const flips = flipsOf(selection, manifest, document, explanation, sources)
  return { sources, flips, rewardTransform: selection.rewardTransform.kind }
}
