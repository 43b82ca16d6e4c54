import type { Round } from './round.ts'

/** All that was measured with so many documents. Seconds. */
export interface Measured {
  documents: number
  selected: number
  /** Of the first 99 percent, and of a percent more. */
  sorting: { first: number; percent: number }
  rounds: Partial<Record<'sorted' | 'wide' | 'topic' | 'inflow' | 'half', Round>>
  python: number | undefined
  /** What flowed in during the round `inflow`. */
  came: { documents: number; seconds: number }
}

const power = (documents: number) => `10^${+Math.log10(documents).toFixed(2)}`
const seconds = (value: number | undefined) => (value === undefined ? '' : `${value.toPrecision(2)} s`)

/** x of cost ~ documents^x, from the first to the last size that has one. */
function growth(all: readonly Measured[], cost: (one: Measured) => number | undefined): string {
  const known = all.flatMap((one) => {
    const value = cost(one)
    return value === undefined ? [] : [{ value, documents: one.documents }]
  })
  const [first, last] = [known[0], known.at(-1)]
  if (first === undefined || last === undefined || first === last) return ''
  return (Math.log(last.value / first.value) / Math.log(last.documents / first.documents)).toFixed(2)
}

type Step = 'histogram' | 'samples' | 'decide' | 'ids'
const steps: Record<Step, string> = {
  histogram: 'histogram of the cells',
  samples: 'samples of 25 subcategories, 20 each',
  decide: 'decide: histogram, theta, threshold, cut, manifest',
  ids: 'ids of the selection, in emission order',
}

/** A Markdown table: each way, each step, each size, and the exponents of growth. */
export function report(all: readonly Measured[]): string {
  const rows: string[][] = []
  const row = (what: string, cost: (one: Measured) => number | undefined) => {
    if (all.some((one) => cost(one) !== undefined))
      rows.push([what, ...all.map((one) => seconds(cost(one))), growth(all, cost)])
  }
  for (const way of ['sorted', 'wide'] as const)
    for (const [step, name] of Object.entries(steps))
      row(`${name}${way === 'wide' ? ', wide table' : ''}`, ({ rounds }) => rounds[way]?.[step as Step])
  row('pure Python, one reselection', ({ python }) => python)
  row('first chunk in the topic', ({ rounds }) => rounds.topic?.firstChunk)
  row('selection and manifest in the topic', ({ rounds }) => rounds.topic?.emission)
  row('the same bytes by kafkajs alone', ({ rounds }) => rounds.topic?.kafkajsAlone)
  row('decide, while documents and labels flow in', ({ rounds }) => rounds.inflow?.decide)
  row('samples, while documents and labels flow in', ({ rounds }) => rounds.inflow?.samples)
  row('sorting for draws: the first 99 percent', ({ sorting }) => sorting.first)
  row('sorting for draws: a percent more', ({ sorting }) => sorting.percent)
  const lines = [['', ...all.map(({ documents }) => power(documents)), 'growth'], ...rows]
  lines.splice(
    1,
    0,
    lines[0]!.map(() => '---'),
  )
  return [...lines.map((cells) => `| ${cells.join(' | ')} |`), '', ...all.flatMap(notes)].join('\n')
}

function notes({ documents, selected, rounds, python, came }: Measured): string[] {
  const { sorted, wide, topic, half } = rounds
  const of = power(documents)
  const lines: string[] = []
  if (sorted && wide)
    lines.push(
      `${of}: wide / sorted: ${(Object.keys(steps) as Step[]).map((step) => `${step} ${(wide[step]! / sorted[step]!).toPrecision(2)}`).join(', ')}`,
    )
  if (python !== undefined && sorted)
    lines.push(`${of}: Python / (decide and ids): ${(python / (sorted.decide + sorted.ids!)).toPrecision(2)}`)
  const emitted = ([what, ids, round]: [string, number, Round | undefined]) =>
    round === undefined
      ? []
      : [
          `${of}: ${what}: ${(ids / round.emission! / 1e6).toFixed(2)} million ids/s, ${(round.kafkajsAlone! / round.emission!).toFixed(2)} of kafkajs alone, first chunk after ${round.firstChunk!.toFixed(2)} s, console ${Math.round(round.megabytes)} MB`,
        ]
  lines.push(...emitted(['a tenth', selected, topic]), ...emitted(['half', Math.floor(documents / 2), half]))
  lines.push(
    `${of}: meanwhile ${Math.round(came.documents / came.seconds)} documents/s and ${Math.round((3 * came.documents) / came.seconds)} labels/s came: the same selection`,
  )
  return lines
}
