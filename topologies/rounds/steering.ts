import type { Steering } from '../../schemas/index.ts'
import type { RunConfig } from '../run-config.ts'
import { type GuardProblem, type Guards, guardInWords, guardProblems, millionths } from '../selection/guards-config.ts'

/** The guards after somebody has steered: of a subcategory that is freed none, of one that is pinned the pin alone, else the floor or the cap is another. */
export function guardsAfter(before: Guards, { rules: steered, repetitionsMost, by, why }: Steering): Guards {
  let rules = before.rules
  for (const { kind, actor, subcategory, share } of steered) {
    const gone = kind === 'floor' || kind === 'cap' ? [kind, 'pin'] : ['floor', 'cap', 'pin']
    rules = rules.filter((one) => one.actor !== actor || one.subcategory !== subcategory || !gone.includes(one.kind))
    if (kind !== 'free') rules = [...rules, { kind, actor, subcategory, share: millionths(share) / 1e6, by, why }]
  }
  if (repetitionsMost === null) return { ...before, rules }
  const { repetitions: _, ...others } = before
  return repetitionsMost === 0
    ? { ...others, rules }
    : { ...others, rules, repetitions: { most: repetitionsMost, by, why } }
}

/** The run with what somebody steered, or why its guards could not hold together. */
export function steer(run: RunConfig, steering: Steering): { run: RunConfig } | { problems: readonly GuardProblem[] } {
  const guards = guardsAfter(run.selection.guards ?? { rules: [] }, steering)
  const problems = guardProblems(guards, run.selection)
  if (problems.length > 0) return { problems }
  const { guards: _, ...selection } = run.selection
  const isFree = guards.rules.length === 0 && guards.repetitions === undefined
  return { run: { ...run, selection: isFree ? selection : { ...selection, guards } } }
}

/** @returns undefined if the guards do not fit the run */
export function steeredRun(run: RunConfig, steering: Steering): RunConfig | undefined {
  const steered = steer(run, steering)
  return 'run' in steered ? steered.run : undefined
}

/** What somebody steers, who and why, and from which round on; null: that is still open. */
export function steeringInWords(
  { rules, repetitionsMost, by, why, fromRound }: Steering,
  round: number | null,
): string {
  const what = [
    ...rules.map((rule) =>
      rule.kind === 'free'
        ? `no guard of ${rule.actor}=${rule.subcategory}`
        : guardInWords({ ...rule, kind: rule.kind }),
    ),
    ...(repetitionsMost === null ? [] : [repetitionsMost === 0 ? 'any repetitions' : `repetitions ${repetitionsMost}`]),
  ].join(', ')
  const when =
    round !== null
      ? `from round ${round} on`
      : fromRound === null
        ? 'from the next round on'
        : `not before round ${fromRound}`
  return `steered by ${by} (${why}): ${what}, ${when}`
}
