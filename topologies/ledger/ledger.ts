import type { Work, WorkPurpose } from '../../schemas/index.ts'
import { workKey } from './pieces.ts'

/** The parts of the paper's Table 6, and the training that all of it is for. */
export type Phase = 'offline' | 'online' | 'training'

const phases: Readonly<Record<WorkPurpose, Phase>> = {
  annotation: 'offline',
  labels: 'offline',
  proxies: 'offline',
  fits: 'offline',
  rewards: 'online',
  probes: 'online',
  reference: 'online',
  training: 'training',
  evaluation: 'training',
}

/** Labels are for all runs, before them; a method that labels the corpus again in the rounds of a run does it online. */
export const phaseOf = ({ purpose, run }: Pick<Work, 'purpose' | 'run'>): Phase =>
  purpose === 'labels' && run !== null ? 'online' : phases[purpose]

/** What Table 6 of the paper counts: labels, and the influence of samples. */
export const inTableSix: ReadonlySet<WorkPurpose> = new Set(['labels', 'rewards', 'probes'])

/** All work of one kind with one model on one device. */
export interface LedgerRow
  extends Pick<Work, 'run' | 'purpose' | 'subject' | 'model' | 'device' | 'parameters' | 'parametersAll' | 'factor'> {
  readonly phase: Phase
  readonly documents: number
  readonly tokens: number
  readonly flops: number
  /** As Table 6 counts: factor * all parameters * tokens and nothing else; 0 for what it leaves out. */
  readonly flopsTableSix: number
  readonly seconds: number
  readonly pieces: number
}

export interface LedgerTotals {
  readonly offline: number
  readonly online: number
  readonly overall: number
}

/** The fold of work records: each piece once, however often it was done or read. */
export class Ledger {
  /** By stream and partition of a kind of work, pieces by identity. */
  readonly #streams = new Map<string, Map<string, Work>>()

  apply(work: Work): void {
    const { purpose, subject, stream, partition } = work
    const name = [work.run ?? '', purpose, subject, stream, partition].join('/')
    const pieces = this.#streams.get(name) ?? new Map<string, Work>()
    this.#streams.set(name, pieces)
    pieces.set(workKey(work), work)
  }

  /** Rows by phase and purpose, in the order of the work's life; sums are in the order of the streams. */
  rows(counts: (work: Work) => boolean = () => true): LedgerRow[] {
    const rows = new Map<string, LedgerRow>()
    for (const pieces of this.#streams.values())
      for (const work of withoutRepeats(pieces.values())) if (counts(work)) addTo(rows, work)
    const order = Object.keys(phases)
    return [...rows.values()].sort(
      (a, b) => order.indexOf(a.purpose) - order.indexOf(b.purpose) || compareTexts(a.subject, b.subject),
    )
  }
}

const compareTexts = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Of pieces that are one inside the other only the outermost: it was all done in one go, the others were done before or again. */
function* withoutRepeats(pieces: Iterable<Work>): Generator<Work> {
  const ascending = [...pieces].sort((a, b) => a.first - b.first || b.next - a.next)
  let covered = Number.NEGATIVE_INFINITY
  for (const work of ascending) {
    if (work.next <= covered) continue
    covered = work.next
    yield work
  }
}

function addTo(rows: Map<string, LedgerRow>, work: Work): void {
  const { run, purpose, subject, model, device, parameters, parametersAll, factor } = work
  const kind = { run, purpose, subject, model, device, parameters, parametersAll, factor }
  const key = JSON.stringify(kind)
  const none = { documents: 0, tokens: 0, flops: 0, flopsTableSix: 0, seconds: 0, pieces: 0 }
  const row = rows.get(key) ?? { ...kind, phase: phaseOf(work), ...none }
  rows.set(key, {
    ...row,
    documents: row.documents + work.documents,
    tokens: row.tokens + work.tokens,
    flops: row.flops + work.flops,
    flopsTableSix: row.flopsTableSix + (inTableSix.has(purpose) ? factor * parametersAll * work.tokens : 0),
    seconds: row.seconds + work.seconds,
    pieces: row.pieces + 1,
  })
}

/** Totals as in Table 6: by what it counts, or with everything but the training. */
export function totalsOf(rows: readonly LedgerRow[], by: 'flops' | 'flopsTableSix'): LedgerTotals {
  const of = (phase: Phase) => rows.reduce((sum, row) => sum + (row.phase === phase ? row[by] : 0), 0)
  return { offline: of('offline'), online: of('online'), overall: of('offline') + of('online') }
}
