import type { Evaluation, Manifest, RoundClosed, RoundOpened } from '../../schemas/index.ts'
import type { CorpusStore } from '../corpus-store.ts'
import { evaluateRound } from '../evaluation/evaluate.ts'
import type { RoundLedger } from '../rounds/ledger.ts'
import type { RunConfig } from '../run-config.ts'
import type { SelectedRound } from './reads.ts'
import { viewOptions } from './selecting.ts'

/** A round as the log has it, with its rewards. */
export interface RewardedRound {
  /** As the round has it. */
  readonly run: RunConfig
  readonly opened: RoundOpened
  readonly closed: RoundClosed
  readonly ledger: RoundLedger
}

/** Whether the live console evaluates this round: its configuration holds rewards out, and it asked for some. */
export const isEvaluated = ({ selection }: RunConfig, { samples }: RoundOpened): boolean =>
  selection.holdOut !== undefined && samples.length > 0

/**
 * What a selection is worth by rewards that its weights have not seen.
 * @param selected the round's manifest
 * @param rewarded the round whose rewards count: the same (those held out), or the next one (all)
 * @param history the rounds selected before `rewarded` that the trainer was given, ascending
 * @param own what the run itself selected before; only of a shadow is it different from `history`
 */
export async function evaluateSelection(
  selected: Pick<Manifest, 'run' | 'round' | 'actors' | 'weights' | 'theta'>,
  { run, opened, closed, ledger }: RewardedRound,
  history: readonly SelectedRound[],
  store: Pick<CorpusStore, 'view'>,
  own: readonly Manifest[] = history.map(({ manifest }) => manifest),
): Promise<Evaluation> {
  const names = run.selection.actors.map(({ name }) => name)
  const before = own.findLast(({ round }) => round < selected.round)
  // Weights of other subcategories say nothing of those that the round has.
  const isMapped = opened.changes.some(({ mapping }) => mapping !== null)
  const sameActors = before !== undefined && before.actors.join() === names.join() && !isMapped
  return await evaluateRound({
    ...{ run: selected.run, round: selected.round, config: run.selection, sampledIn: opened.round },
    on: selected.round === opened.round ? 'held-out' : 'next-round',
    rewards: ledger.accepted(names, closed.rewardOffsets),
    corpus: await store.view(viewOptions(run, opened.labelOffsets, history)),
    now: selected,
    previous: sameActors ? before : undefined,
  })
}
