import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parseRunConfig, type RunConfig } from '../../topologies/run-config.ts'
import { selectionVersion } from '../../topologies/selection/version.ts'
import type { ActorLabels } from '../config/config.ts'
import { WinnowError } from '../runtime/errors.ts'
import type { ExperimentCorpus } from './corpus.ts'
import type { Plan, PlannedStrategy } from './plan.ts'

/** Files of a task, absolute. */
export interface TaskFiles {
  readonly reward: string
  readonly evaluation: string
}

/** What a reference is measured on; of several tasks `evaluation` has the samples of all. */
export interface ReferenceFiles {
  readonly rewards: readonly string[]
  readonly evaluation: string
}

/** One training of an experiment. */
export interface Cell {
  readonly reference: string
  /** Optimizer steps of the budget that it belongs to; its own are `run.steps`. */
  readonly budget: number
  readonly strategy: string
  readonly seed: number
  readonly run: RunConfig
  /** Actors whose labels it needs: by these it is charged with labelling. */
  readonly labels: readonly string[]
  /** Of everything that its result depends on: it names the file of the result. */
  readonly digest: string
  /** The digest of the cell that its loss on other text is held against: that is trained before. Left out: none. */
  readonly against?: string
}

/** What cells are made of, apart from the plan. */
export interface CellContext {
  readonly corpus: Pick<ExperimentCorpus, 'documents' | 'versions' | 'digest'>
  readonly actors: readonly ActorLabels[]
  readonly references: Readonly<Record<string, ReferenceFiles>>
  /** Held-out documents of the corpus. */
  readonly other: string
  /** Other held-out documents of it, for rewards: what cells with a price need. */
  readonly otherRewards?: string | undefined
  /** Digest of the model's graphs. */
  readonly model: string
  /** Where checkpoints are while a cell trains. */
  readonly checkpoints: (cell: number) => string
}

/**
 * The cells of a plan, in the order in which they are trained: by reference, budget, seed and strategy, so that what is finished early is whole pairs.
 * Strategies that are held against another come after those that are not.
 * @throws WinnowError CONFIGURATION naming strategy and place
 */
export function cellsOf(plan: Plan, context: CellContext): Cell[] {
  const cells: Cell[] = []
  for (const reference of Object.keys(context.references))
    for (const budget of plan.budgets)
      for (const seed of plan.seeds) {
        const names = Object.keys(plan.strategies)
        const later = new Set(names.filter((strategy) => againstOf(plan, strategy) !== undefined))
        const own = new Map<string, Cell>()
        for (const strategy of [...names.filter((one) => !later.has(one)), ...later]) {
          const place = { reference, budget, seed, strategy, number: cells.length }
          const against = againstOf(plan, strategy)
          const cell = cellOf(plan, context, place, against === undefined ? undefined : own.get(against)!.digest)
          own.set(strategy, cell)
          cells.push(cell)
        }
      }
  return cells
}

/**
 * The strategy that one is held against by a bound on other text, which has cells of the same reference, budget and seed.
 * @throws WinnowError CONFIGURATION if it is none, or is held against another itself
 */
function againstOf(plan: Pick<Plan, 'strategies' | 'run' | 'file'>, named: string): string | undefined {
  const given = (name: string): unknown => {
    const { selection } = strategyOf(plan, name)
    const shared = (plan.run as { selection?: Guarded }).selection
    return ((selection as Guarded).guards ?? shared?.guards)?.other?.against
  }
  const against = given(named)
  if (typeof against !== 'string') return undefined
  const names = Object.keys(plan.strategies)
  if (names.includes(against) && typeof given(against) !== 'string') return against
  const free = names.filter((name) => typeof given(name) !== 'string')
  throw new WinnowError(
    'CONFIGURATION',
    `${plan.file}: strategies.${named}: guards.other.against names ${JSON.stringify(against)}, which is no strategy that is held against none itself`,
    { hint: `These are: ${free.join(', ') || 'none'}.` },
  )
}

interface Guarded {
  readonly guards?: { readonly other?: { readonly against?: unknown } }
}

/** A strategy with the keys of the one that it is like. */
export function strategyOf(plan: Pick<Plan, 'strategies'>, named: string): PlannedStrategy {
  const own = plan.strategies[named]!
  const base = own.like === undefined ? undefined : plan.strategies[own.like]
  if (base === undefined) return own
  return {
    ...own,
    ...((own.actors ?? base.actors) ? { actors: own.actors ?? base.actors } : {}),
    ...((own.sampleDocuments ?? base.sampleDocuments) !== undefined && {
      sampleDocuments: own.sampleDocuments ?? base.sampleDocuments,
    }),
    selection: { ...base.selection, ...own.selection },
  }
}

function cellOf(
  plan: Plan,
  context: CellContext,
  { number, ...place }: { reference: string; budget: number; seed: number; strategy: string; number: number },
  against: string | undefined,
): Cell {
  const { reference, budget, seed, strategy } = place
  const { times, actors: wanted, selection, sampleDocuments } = strategyOf(plan, strategy)
  const given = plan.run as { selection?: Record<string, unknown>; sampleDocuments?: number }
  const { actors: shared = {}, ...common } = (given.selection ?? {}) as { actors?: Record<string, object> }
  const { actors: own = {}, ...changed } = selection as { actors?: Record<string, object> }
  const names = context.actors.map(({ name }) => name)
  const strange = [...(wanted ?? []), ...Object.keys(shared), ...Object.keys(own)].find((one) => !names.includes(one))
  const refused = (message: string, hint?: string, cause?: unknown) =>
    new WinnowError('CONFIGURATION', `${plan.file}: strategies.${strategy}: ${message}`, {
      ...(hint !== undefined && { hint }),
      cause,
    })
  if (strange !== undefined)
    throw refused(`there is no actor ${strange}`, `The corpus is labelled for ${names.join(', ')}.`)
  const actors = context.actors.filter(({ name }) => wanted === undefined || wanted.includes(name))
  const steps = budget * times
  const { rewards, evaluation } = context.references[reference]!
  const [reward, ...moreRewards] = rewards
  const isPriced =
    (changed as { price?: unknown }).price !== undefined || (common as { price?: unknown }).price !== undefined
  const runOf = (samples: number | undefined): RunConfig =>
    parseRunConfig({
      ...plan.run,
      name: `cell-${number}`,
      selection: {
        budget: { documents: Math.max(1, Math.floor(context.corpus.documents * plan.select)) },
        ...common,
        ...changed,
        seed,
        actors: Object.fromEntries(
          actors.map(({ name, subcategories }) => [name, { subcategories, ...shared[name], ...own[name] }]),
        ),
      },
      steps,
      updateSteps: Math.max(1, Math.floor(steps / plan.rounds)),
      ...(samples !== undefined && { sampleDocuments: samples }),
      labelers: Object.fromEntries(actors.map(({ name }) => [name, context.corpus.versions[name]])),
      reference: {
        reward,
        ...(moreRewards.length > 0 && { moreRewards }),
        evaluation,
        corpus: context.other,
        ...(isPriced && { other: context.otherRewards }),
        samplesMax: plan.samplesMax,
      },
      model: plan.model,
      checkpoints: context.checkpoints(number),
    })
  try {
    const first = runOf(sampleDocuments ?? given.sampleDocuments)
    if (first.selection.duplicates !== undefined)
      throw refused('duplicates limits near duplicates, which an experiment knows nothing of', 'Leave it out.')
    const scores = usesRewards(first)
    const run = scores || sampleDocuments !== undefined ? first : runOf(0)
    const held = against === undefined ? {} : { against }
    return { ...place, run, labels: labelsNeeded(run), digest: digestOf(run, context, against), ...held }
  } catch (cause) {
    if (!(cause instanceof WinnowError) || cause.message.startsWith(plan.file)) throw cause
    throw refused(cause.message.replace(/^configuration: /, ''), cause.hint, cause)
  }
}

/** Whether selections depend on what actors learn. */
const usesRewards = ({ selection: { strategy } }: RunConfig): boolean => (strategy?.score.kind ?? 'actors') === 'actors'

function labelsNeeded({ selection }: RunConfig): string[] {
  const { strategy, actors } = selection
  const parts = [strategy?.score, strategy?.mixture, ...(strategy?.pool ?? [])]
  const named = parts.flatMap((part) => (part !== undefined && 'actor' in part ? [part.actor] : []))
  const scoring = (strategy?.score.kind ?? 'actors') === 'actors' ? actors.map(({ name }) => name) : []
  return actors.map(({ name }) => name).filter((name) => scoring.includes(name) || named.includes(name))
}

/** Of the run without names and places, and of the contents that they stand for. */
function digestOf(run: RunConfig, { corpus, other, model }: CellContext, against: string | undefined): string {
  const { name: _, checkpoints: __, reference, model: ___, ...rest } = run
  const priced = reference.other === undefined ? [] : [reference.other]
  const files = [reference.reward, ...(reference.moreRewards ?? []), reference.evaluation, other, ...priced]
  const contents = files.map((file) => createHash('sha256').update(readFileSync(file)).digest('hex'))
  const { samplesMax } = reference
  const all = {
    version: 1,
    selectionVersion,
    rest,
    samplesMax,
    contents,
    corpus: corpus.digest,
    model,
    ...(against && { against }),
  }
  return createHash('sha256').update(JSON.stringify(all)).digest('hex').slice(0, 32)
}
