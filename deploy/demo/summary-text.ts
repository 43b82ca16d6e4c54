import { formatFixed, percent, table } from '../../services/terminal/table.ts'
import { besideText } from './beside.ts'
import type { ReferenceName } from './corpus.ts'
import type { Summary } from './summary.ts'

const referenceWords: Record<ReferenceName, string> = {
  fiction: 'held-out fiction',
  addresses: 'held-out State of the Union addresses',
}

/** The captions of the three tables, the same in a terminal and on the page. */
export const captionsOf = ({ round, run, documents, reference }: Summary) => ({
  selected: `What was selected, round ${round} of ${run}, against the corpus (${documents} documents)`,
  weights: 'Weights of the actors and theta by round (equal before round 1)',
  losses: `Loss in nats per token at equal tokens (reference: ${referenceWords[reference]}; other text: held-out pieces of all sources)`,
})

export const liftOf = (lift: number | null): string => (lift === null ? '–' : `${lift.toFixed(2)}×`)

/** As a terminal shows it. */
export function summaryText(summary: Summary): string {
  const captions = captionsOf(summary)
  return [
    '',
    captions.selected,
    selected(summary),
    '',
    captions.weights,
    weightsByRound(summary),
    '',
    captions.losses,
    lossTable(summary),
    '',
    ...verdictLines(summary),
    ...(summary.beside === undefined ? [] : ['', besideText(summary.beside)]),
    '',
  ].join('\n')
}

const number = true

const selected = ({ selected: shares }: Summary): string =>
  table(
    [
      { title: 'actor' },
      { title: 'subcategory' },
      ...['corpus', 'selected', 'lift'].map((title) => ({ title, number })),
    ],
    shares.map(({ actor, subcategory, corpus, selected: after, lift }, i) => [
      actor === shares[i - 1]?.actor ? '' : actor,
      subcategory,
      percent(corpus),
      percent(after),
      liftOf(lift),
    ]),
  )

function weightsByRound({ actors, rounds }: Summary): string {
  const rows = actors.flatMap(({ actor, theta, subcategories }) => [
    [actor, 'theta', ...theta.map((value) => formatFixed(value, 3))],
    ...subcategories.map(({ subcategory, weights }) => ['', subcategory, ...weights.map((one) => formatFixed(one, 2))]),
  ])
  return table([{ title: 'actor' }, { title: '' }, ...rounds.map((round) => ({ title: `${round}`, number }))], rows)
}

const lossTable = ({ run, control, losses }: Summary): string =>
  table(
    ['step', 'tokens', `reference: ${run}`, control, `other text: ${run}`, control].map((title) => ({ title, number })),
    losses.map(({ step, tokens, reference, referenceControl, otherText, otherTextControl }) => [
      `${step}`,
      `${tokens}`,
      ...[reference, referenceControl, otherText, otherTextControl].map((loss) => formatFixed(loss, 4)),
    ]),
  )

/** What one run shows, and what it does not. */
export function verdictLines({ run, control, seed, verdict, actors, firstSelectionSeconds }: Summary): string[] {
  const { tokens, referenceDifference, otherTextDifference, shareOfTokens } = verdict
  const signed = (value: number) => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`
  const turned = actors.filter(({ theta }) => theta.at(-1)! < 0).map(({ actor }) => actor)
  return [
    ...(firstSelectionSeconds === null
      ? []
      : [`First selection ${firstSelectionSeconds.toFixed(1)} s after the start.`]),
    `Reference loss against the control at ${tokens} tokens: ${signed(referenceDifference)}. Price on other text: ${signed(otherTextDifference)}.`,
    shareOfTokens === null
      ? `${run} did not reach ${control}'s final reference loss.`
      : `${run} reached ${control}'s final reference loss with ${percent(shareOfTokens)} of its tokens.`,
    ...(turned.length === 0
      ? []
      : [
          `Theta of ${turned.join(' and ')} is negative in the end: the weights count the other way round, low ones are favoured.`,
        ]),
    `Seed ${seed}; one run is one run: another seed gives other numbers. Selection follows the reference it is given, and this does not show`,
    'that the collaboration of actors beats the best single one: it finds the useful actor without being told.',
  ]
}
