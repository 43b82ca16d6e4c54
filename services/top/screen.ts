import stringWidth from 'string-width'
import { onlyTrains } from '../runs/run-state.ts'
import { inWords } from '../runs/unreadable.ts'
import { formatCount } from '../terminal/progress.ts'
import { type Column, fittingTable, formatFixed, table } from '../terminal/table.ts'
import type { Numbers, RunNumbers, TopicNumbers } from './watch.ts'

/** The numbers as lines, none wider than `columns`; if there are more than `rows`, the last one says so. */
export function screenOf(numbers: Numbers, { columns, rows }: { columns?: number; rows?: number } = {}): string[] {
  const width = columns
  const lines = [
    ...headOf(numbers).map((line) => (width === undefined ? line : cut(line, width))),
    '',
    ...(numbers.runs.length === 0 ? ['no runs yet'] : runLines(numbers.runs, width)),
    ...[...waitingLines(numbers.runs), ...numbers.unreadable.map(inWords)].map((line) =>
      width === undefined ? line : cut(line, width),
    ),
    '',
    ...table(topicColumns, numbers.topics.map(topicRow), { width }).split('\n'),
  ]
  if (rows === undefined || lines.length <= rows) return lines
  return [...lines.slice(0, rows - 1), `… ${lines.length - rows + 1} more lines do not fit`]
}

function headOf({ atMs, documents, labelled, deadLetters, memoryBytes }: Numbers): string[] {
  const corpus = `${formatCount(documents)} documents, ${formatCount(labelled)} labelled by every actor; dead letters ${formatCount(deadLetters)}`
  const parts = Object.entries(memoryBytes ?? {}).sort(([, a], [, b]) => b - a)
  const total = parts.reduce((sum, [, bytes]) => sum + bytes, 0)
  const shown = parts.filter(([, bytes]) => bytes > total / 100)
  const memory = `memory ${gibibytes(total)} (${shown.map(([program, bytes]) => `${program} ${gibibytes(bytes)}`).join(', ')})`
  return [`winnow  ${new Date(atMs).toLocaleTimeString('sv')}  ${corpus}`, ...(memoryBytes === null ? [] : [memory])]
}

const number = true
const runColumns: Column[] = [
  { title: 'run' },
  { title: 'step', number },
  { title: 'tokens/s', number },
  { title: 'round', number },
  { title: 'is' },
  { title: 'rewards', number },
  { title: 'selected', number },
  { title: 'loss', number },
  { title: 'reference', number },
  { title: 'other text', number },
  { title: 'theta' },
]

/** The columns that a narrow terminal omits, least important first, before anything is broken into lines. */
const leftOut = ['other text', 'tokens/s', 'selected', 'reference', 'rewards', 'loss']

const runLines = (runs: readonly RunNumbers[], width?: number): string[] =>
  fittingTable(runColumns, runs.map(runRow), leftOut, width).split('\n')

/** What each run waits for, but for those that only train on. */
const waitingLines = (runs: readonly RunNumbers[]): string[] =>
  runs.flatMap((one) => (one.waitsFor === null || onlyTrains(one) ? [] : `${one.run} waits for ${one.waitsFor}`))

const runRow = (run: RunNumbers): string[] => [
  run.run,
  `${run.step}/${run.steps}`,
  rate(run.tokensPerSecond),
  `${run.round ?? '–'}`,
  run.roundSeconds === null ? run.state : `${run.state} ${run.roundSeconds.toFixed(0)} s`,
  rewards(run),
  run.selected === null ? '–' : formatCount(run.selected),
  formatFixed(run.trainLoss, 3),
  formatFixed(run.referenceLoss, 3),
  formatFixed(run.corpusLoss, 3),
  run.selectsBy ??
    Object.entries(run.theta)
      .map(([actor, value]) => `${actor} ${formatFixed(value, 3)}`)
      .join(' '),
]

/** The answered share of the last closed round's requests; while it is open, the number of requests. */
function rewards({ rewardsAsked, rewardsMissing, state }: RunNumbers): string {
  if (rewardsAsked === 0) return '–'
  if (state === 'waiting for rewards' || rewardsMissing === null) return `of ${rewardsAsked}`
  return `${rewardsAsked - rewardsMissing} of ${rewardsAsked}`
}

const topicColumns: Column[] = [
  { title: 'topic' },
  // Markers of transactions count, which are no records.
  { title: 'next offset', number },
  { title: 'records/s', number },
  { title: 'lag', number },
  { title: 'of' },
]

const topicRow = ({ topic, records, perSecond, lags }: TopicNumbers): string[] => {
  const behind = lags.filter((lag) => lag.records > 0)
  return [
    topic.replace(/^winnow\./, ''),
    formatCount(records),
    rate(perSecond),
    lags.length === 0 ? '–' : formatCount(Math.max(...lags.map((lag) => lag.records))),
    behind.map(({ station, records: waiting }) => `${station} ${formatCount(waiting)}`).join(', '),
  ]
}

const rate = (perSecond: number | null): string =>
  perSecond === null ? '–' : perSecond < 10 ? perSecond.toFixed(1) : formatCount(perSecond)

const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`

function cut(line: string, width: number): string {
  if (stringWidth(line) <= width) return line
  let short = line.slice(0, width - 1)
  while (stringWidth(short) > width - 1) short = short.slice(0, -1)
  return `${short}…`
}
