import type { Evaluation, Manifest } from '../../../schemas/index.ts'
import { type Judged, type JudgedSample, Judging } from '../../../topologies/ablation/judge.ts'
import { Refolding } from '../../../topologies/ablation/refold.ts'
import { combinations, sweptValues, together } from '../../../topologies/ablation/sweep.ts'
import { ablations, asRecorded, type Variant } from '../../../topologies/ablation/variants.ts'
import { viewOptions } from '../../../topologies/console/selecting.ts'
import { sampleOf } from '../../../topologies/evaluation/evaluate.ts'
import { changesRun, naturalShares } from '../../../topologies/rounds/configuration.ts'
import type { RoundLedger } from '../../../topologies/rounds/ledger.ts'
import type { NaturalRound } from '../../../topologies/rounds/other-text.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import { heldOutOf, withoutHeldOut } from '../../../topologies/selection/hold-out.ts'
import { decidedByCells } from '../../../topologies/selection/strategy.ts'
import type { Runtime } from '../../connections/connections.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { replayRun } from '../replay/changes.ts'
import { RoundLedgers } from '../replay/folded.ts'
import { withSampleLabels } from '../replay/sample-labels.ts'
import { type JudgedRound, judgedRounds } from './rewarded-rounds.ts'

export interface Ablation {
  readonly on: Evaluation['on']
  /** That were judged. */
  readonly rounds: readonly number[]
  /** Of those rounds, what they drew from the natural mixture. All variants have the same: none has a loss on other text of its own. */
  readonly natural: readonly NaturalRound[]
  /** The best first. */
  readonly variants: readonly Judged[]
}

/**
 * Folds a run's recorded rewards again by other configurations and estimates what their selections are worth, by rewards that the weights of the
 * judged round have not seen. Nothing is trained or selected again: a variant is judged as if the run had read what it read.
 * @param sweeps `KEY=VALUE,VALUE`, see `sweptValues`; without any, the ablations of the paper
 * @throws WinnowError CONFIGURATION if no round can be judged, or a value is not valid; GUARANTEE_VIOLATED if the log does not lead to the recorded
 * weights
 */
export async function ablateRun(
  runtime: Runtime,
  recorded: RunConfig,
  sweeps: readonly string[],
  onProgress: (done: number, total: number) => void = () => {},
): Promise<Ablation> {
  const variants = variantsOf(recorded, sweeps)
  const isJoint = variants.some(({ config }) => config.collaboration === 'joint')
  const { on, rounds, log } = await judgedRounds(runtime, recorded, undefined, async (log) =>
    isJoint ? await withSampleLabels(runtime, recorded, log) : log,
  )
  if (log.opened.some(changesRun))
    throw new WinnowError(
      'CONFIGURATION',
      `the actors, settings or guards of run ${recorded.name} changed on the way; it cannot be ablated`,
      {
        hint: 'winnow evaluate judges its rounds, each with the actors that it had.',
      },
    )
  const names = recorded.selection.actors.map(({ name }) => name)
  // Round 0 is selected before there is a reward.
  const judged = rounds.filter(({ selected }) => selected.round > 0)
  if (judged.length === 0)
    throw new WinnowError(
      'CONFIGURATION',
      `run ${recorded.name} has no round yet whose weights rewards have changed and that can be judged`,
    )
  const refolded = variants.map((variant) => new Refolding(variant))
  const judging = new Judging(variants, refolded)
  const done: number[] = []
  const shares = naturalShares(log.opened)
  const judgedBy = new Map(judged.map((one) => [one.rewarded.opened.round, one]))
  await using ledgers = new RoundLedgers(runtime, recorded, log)
  for (const { round, rewardOffsets } of log.closed) {
    const ledger = await ledgers.at(round)
    const isHeldOut = heldOutOf(recorded.selection, round)
    const accepted = ledger?.accepted(names, rewardOffsets) ?? []
    const actors = accepted.map((columns) => withoutHeldOut(columns, isHeldOut))
    if (round > 0) for (const one of refolded) one.add({ round, actors })
    const judgedHere = judgedBy.get(round)
    if (judgedHere === undefined || ledger === undefined) continue
    onProgress(done.length, judged.length)
    checkRefolded(recorded.name, judgedHere.selected, refolded[0]!)
    const selectedIn = judgedHere.selected.round
    const sampled = await judgedSample(runtime, recorded, on, judgedHere, ledger)
    judging.add({ ...sampled, naturalShare: shares.get(selectedIn) })
    done.push(selectedIn)
  }
  const natural = done.flatMap((round): NaturalRound[] => {
    const naturalShare = shares.get(round) ?? 0
    return naturalShare > 0 ? [{ round, naturalShare }] : []
  })
  return { on, rounds: done, natural, variants: judging.judged() }
}

function checkRefolded(run: string, { round, weights, theta }: Manifest, { byRound }: Refolding): void {
  const again = byRound.get(round)
  if (JSON.stringify([again?.weights, again?.theta]) === JSON.stringify([weights, theta])) return
  throw new WinnowError('GUARANTEE_VIOLATED', `round ${round} of ${run} does not come out again from its log`, {
    hint: `winnow replay --run ${run} names the first difference.`,
  })
}

async function judgedSample(
  { store }: Runtime,
  { name, selection }: RunConfig,
  on: Evaluation['on'],
  { selected, rewarded: { run, opened, closed }, history }: JudgedRound,
  ledger: RoundLedger,
): Promise<Omit<JudgedSample, 'naturalShare'>> {
  const rewards = ledger.accepted(
    selection.actors.map((actor) => actor.name),
    closed.rewardOffsets,
  )
  const corpus = await store.view(viewOptions({ ...run, name }, opened.labelOffsets, history))
  const sample = await sampleOf({ config: selection, sampledIn: opened.round, rewards, corpus, on })
  return { round: selected.round, sampledIn: opened.round, sample }
}

function variantsOf(recorded: RunConfig, sweeps: readonly string[]): Variant[] {
  const { selection } = recorded
  if (!decidedByCells(selection.strategy))
    throw new WinnowError(
      'CONFIGURATION',
      `run ${recorded.name} selects by the scores of documents; its actors decide nothing`,
    )
  if (sweeps.length === 0) return ablations(selection)
  const names = selection.actors.map(({ name }) => name)
  const values = sweeps.map((given) => {
    const found = sweptValues(given, names)
    if (found !== undefined) return found
    throw new WinnowError('USAGE', `--sweep ${given}: not KEY=VALUE,VALUE`, {
      hint: 'For example eta=0.03,0.1,0.3, eta.topic=0.1,0.2, update=ema,additive or rewardTransform=identity,standardize.',
    })
  })
  const swept = combinations(values).map((one): Variant => {
    const { selection: config } = replayRun(recorded, recorded.name, together(one))
    return { ...asRecorded(config), name: one.map(({ name }) => name).join(', ') }
  })
  return [asRecorded(selection), ...swept]
}
