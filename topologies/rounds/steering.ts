import type { Steering } from '../../schemas/index.ts'
import type { RunConfig } from '../run-config.ts'
import { millionths } from '../selection/guard-fields.ts'
import { type GuardProblem, type Guards, guardInWords, guardProblems } from '../selection/guards-config.ts'
import { type OtherBound, otherBoundInWords } from '../selection/other-bound.ts'

/** The guards after somebody has steered: of a subcategory that is freed none, of one that is pinned the pin alone, else the floor or the cap is another. */
export function guardsAfter(before: Guards, steering: Steering): Guards {
  const { rules: steered, repetitionsMost, by, why } = steering
  let rules = before.rules
  for (const { kind, actor, subcategory, share } of steered) {
    const gone = kind === 'floor' || kind === 'cap' ? [kind, 'pin'] : ['floor', 'cap', 'pin']
    rules = rules.filter((one) => one.actor !== actor || one.subcategory !== subcategory || !gone.includes(one.kind))
    if (kind !== 'free') rules = [...rules, { kind, actor, subcategory, share: millionths(share) / 1e6, by, why }]
  }
  const repetitions =
    repetitionsMost === null
      ? before.repetitions
      : repetitionsMost === 0
        ? undefined
        : { most: repetitionsMost, by, why }
  const other = otherAfter(before.other, steering)
  return { rules, ...(repetitions !== undefined && { repetitions }), ...(other !== undefined && { other }) }
}

function otherAfter(before: OtherBound | undefined, { otherBound = null, by, why }: Steering): OtherBound | undefined {
  if (otherBound === null) return before
  // Of what was steered before the field existed `fall` is missing.
  const { bound, from, run, loss, fall: wanted = null } = otherBound
  if (bound === 0) return undefined
  const against = run ?? loss
  const fall = wanted === null ? before?.fall : Math.max(1, millionths(wanted)) / 1e6
  return {
    ...{ bound, by, why },
    ...(from !== null && { from }),
    ...(against !== null && { against }),
    ...(fall !== undefined && { fall }),
  }
}

/** The run with what somebody steered, or why its guards could not hold together. */
export function steer(run: RunConfig, steering: Steering): { run: RunConfig } | { problems: readonly GuardProblem[] } {
  const guards = guardsAfter(run.selection.guards ?? { rules: [] }, steering)
  const problems = guardProblems(guards, run.selection)
  if (problems.length > 0) return { problems }
  const { guards: _, ...selection } = run.selection
  const isFree = guards.rules.length === 0 && guards.repetitions === undefined && guards.other === undefined
  return { run: { ...run, selection: isFree ? selection : { ...selection, guards } } }
}

/** @returns undefined if the guards do not fit the run */
export function steeredRun(run: RunConfig, steering: Steering): RunConfig | undefined {
  const steered = steer(run, steering)
  return 'run' in steered ? steered.run : undefined
}

const otherSteeredInWords = ({ bound, from, run, loss, fall = null }: NonNullable<Steering['otherBound']>): string =>
  bound === 0
    ? 'any loss on other text'
    : otherBoundInWords({ bound, from: from ?? undefined, against: run ?? loss ?? undefined, fall: fall ?? undefined })

/** What somebody steers, who and why, and from which round on; null: that is still open. */
export function steeringInWords(
  { rules, repetitionsMost, otherBound = null, by, why, fromRound }: Steering,
  round: number | null,
): string {
  const what = [
    ...rules.map((rule) =>
      rule.kind === 'free'
        ? `no guard of ${rule.actor}=${rule.subcategory}`
        : guardInWords({ ...rule, kind: rule.kind }),
    ),
    ...(repetitionsMost === null ? [] : [repetitionsMost === 0 ? 'any repetitions' : `repetitions ${repetitionsMost}`]),
    ...(otherBound === null ? [] : [otherSteeredInWords(otherBound)]),
  ].join(', ')
  const when =
    round !== null
      ? `from round ${round} on`
      : fromRound === null
        ? 'from the next round on'
        : `not before round ${fromRound}`
  return `steered by ${by} (${why}): ${what}, ${when}`
}
