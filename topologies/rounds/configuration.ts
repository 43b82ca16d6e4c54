import type { ActorChange, LabelerFit, Promoted, RoundOpened, Steering } from '../../schemas/index.ts'
import { WinnowError } from '../errors.ts'
import { parseRunConfig, type RunConfig } from '../run-config.ts'
import type { ActorConfig } from '../selection/config.ts'
import { wishInWords } from '../selection/guard-fields.ts'
import { guardProblems } from '../selection/guards-config.ts'
import { withNaturalShare } from '../selection/other-bound.ts'
import { strategyProblems } from '../selection/strategy.ts'
import { steeredRun } from './steering.ts'
import { type MappedSubcategories, mappedWeights, mappingInWords, mapsFrom } from './subcategories.ts'

/** An added actor as the configuration has it. Its theta is a number once its change is part of a round's opening. */
const actorOf = ({ actor, subcategories, eta, initialWeights, initialTheta }: ActorChange): ActorConfig => ({
  name: actor,
  subcategories,
  eta,
  initialWeights,
  initialTheta: initialTheta ?? 0,
  ...(eta === 0 && { frozen: true }),
})

/**
 * The run after a change: an added actor is the last in configuration order, so that sums over the others stay the same to the bit.
 * @returns undefined if the change does not fit the run: the actor is there already, or is not, or cannot be spared, or has these labels or
 * other subcategories
 */
export function changedRun(run: RunConfig, change: ActorChange): RunConfig | undefined {
  const { actors, strategy, collaboration, guards } = run.selection
  const known = actors.find(({ name }) => name === change.actor)
  if (change.kind === 'add') {
    if (known !== undefined) return undefined
    return withActors(run, [...actors, actorOf(change)], { [change.actor]: change.labelerVersion })
  }
  if (known === undefined) return undefined
  if (change.kind === 'relabel') {
    const relabelled = relabelledActor(known, change)
    if (relabelled === undefined || run.labelers[change.actor] === change.labelerVersion) return undefined
    const after = actors.map((actor) => (actor === known ? relabelled : actor))
    if (change.mapping !== null && relabelProblems(run, after).length > 0) return undefined
    return withActors(run, after, { [change.actor]: change.labelerVersion })
  }
  if (change.kind === 'freeze') {
    if (known.frozen === true) return undefined
    return withActors(
      run,
      actors.map((actor) => (actor === known ? { ...actor, frozen: true } : actor)),
    )
  }
  const others = actors.filter((actor) => actor !== known)
  const needed = strategy !== undefined && strategyProblems(strategy, others).length > 0
  const guarded = guards?.rules.some(({ actor }) => actor === change.actor)
  if (others.length === 0 || needed || guarded || collaboration === `single:${change.actor}`) return undefined
  return withActors(run, others)
}

/** @returns undefined if the change is of other subcategories than the actor has */
function relabelledActor(known: ActorConfig, change: ActorChange): ActorConfig | undefined {
  const { subcategories, mapping, initialWeights } = change
  if (mapping === null) return known.subcategories.join('\n') === subcategories.join('\n') ? known : undefined
  // Labels that are fitted to a round's rewards come after the fold of them, which has to see the same subcategories.
  if (change.fit !== null || !mapsFrom(mapping, known.subcategories, subcategories)) return undefined
  const weights = mappedWeights(known.initialWeights, { before: known.subcategories, mapping, initialWeights })
  return { ...known, subcategories, initialWeights: weights }
}

/** Why a run cannot go on with these actors, in words: its strategy or its guards name what would no longer be there. */
export function relabelProblems(
  { selection: { strategy, guards } }: Pick<RunConfig, 'selection'>,
  actors: readonly ActorConfig[],
): string[] {
  const ofStrategy = strategy === undefined ? [] : strategyProblems(strategy, actors)
  const ofGuards = guards === undefined ? [] : guardProblems(guards, { actors, strategy })
  const words = ({ path, message }: { path: readonly (string | number)[]; message: string }, of: string) =>
    `${[of, ...path].join('.')} ${message}`
  return [
    ...ofStrategy.map((problem) => words(problem, 'strategy')),
    ...ofGuards.map((problem) => words(problem, 'guards')),
  ]
}

const withActors = (run: RunConfig, actors: ActorConfig[], labelers: RunConfig['labelers'] = {}): RunConfig => ({
  ...run,
  selection: { ...run.selection, actors },
  labelers: { ...run.labelers, ...labelers },
})

/** The run once a shadow of it has been promoted: by the shadow's settings, everything else as before. */
function promotedRun(recorded: RunConfig, { config }: Pick<Promoted, 'config'>): RunConfig {
  const { selection, labelers } = parseRunConfig(JSON.parse(config))
  return { ...recorded, selection, labelers }
}

/** The configuration of a run's rounds: the fold of what was recorded with the run and the changes of its openings. */
export class Configuration {
  readonly #recorded: RunConfig
  readonly #changes = new Map<number, readonly ActorChange[]>()
  /** Shadows that were promoted, with the run as it then is, by round. */
  readonly #promoted = new Map<number, { readonly promoted: Promoted; readonly run: RunConfig }>()
  readonly #steered = new Map<number, readonly Steering[]>()
  /** Of runs that bound the loss on other text, the share that a round draws from the natural mixture. */
  readonly #natural = new Map<number, number>()

  constructor(recorded: RunConfig) {
    this.#recorded = recorded
  }

  /** Openings may come in any order, and more than once. */
  learn({
    round,
    changes = [],
    promoted = null,
    steered = [],
    otherText = null,
  }: Pick<RoundOpened, 'round'> & Partial<RoundOpened>): void {
    if (otherText !== null) this.#natural.set(round, otherText.share)
    if (changes.length > 0) this.#changes.set(round, changes)
    if (steered.length > 0) this.#steered.set(round, steered)
    if (promoted !== null && this.#promoted.get(round)?.promoted.id !== promoted.id)
      this.#promoted.set(round, { promoted, run: promotedRun(this.#recorded, promoted) })
  }

  /** A change that holds from a round on, besides those of its opening. */
  add(round: number, change: ActorChange): void {
    const before = this.#changes.get(round) ?? []
    if (!before.some(({ id }) => id === change.id)) this.#changes.set(round, [...before, change])
  }

  at(round: number): RunConfig {
    const since = Math.max(-1, ...[...this.#promoted.keys()].filter((from) => from <= round))
    // What changed before it is part of the shadow's configuration; what somebody steered before it holds on.
    let run = this.#promoted.has(since) ? this.promotedRun(since, this.#promoted.get(since)!.promoted) : this.#recorded
    const rounds = [...new Set([...this.#changes.keys(), ...this.#steered.keys()])].filter((from) => from <= round)
    for (const from of rounds.filter((one) => since === -1 || one >= since).sort((a, b) => a - b)) {
      for (const change of this.#changes.get(from) ?? []) run = changedRun(run, change) ?? unchanged(run, change, from)
      for (const steering of this.#steered.get(from) ?? []) run = steeredRun(run, steering) ?? run
    }
    return { ...run, selection: withNaturalShare(run.selection, this.#natural.get(round)) }
  }

  /** The run once a shadow is promoted at this round, with what was steered before it. */
  promotedRun(round: number, promoted: Promoted): RunConfig {
    const known = this.#promoted.get(round)
    const start = known?.promoted.id === promoted.id ? known.run : promotedRun(this.#recorded, promoted)
    return this.steerings.reduce(
      (run, { round: from, steering }) => (from < round ? (steeredRun(run, steering) ?? run) : run),
      start,
    )
  }

  /** What somebody steered, with the rounds from which on it holds. */
  get steerings(): readonly { round: number; steering: Steering }[] {
    return [...this.#steered]
      .sort(([a], [b]) => a - b)
      .flatMap(([round, steered]) => steered.map((steering) => ({ round, steering })))
  }

  /** The shadows by which the run went on, with the rounds from which on it did. */
  get promotions(): readonly { round: number; promoted: Promoted }[] {
    return [...this.#promoted].sort(([a], [b]) => a - b).map(([round, { promoted }]) => ({ round, promoted }))
  }

  /** As of the last opening that is known. */
  get last(): RunConfig {
    return this.at(Number.POSITIVE_INFINITY)
  }

  /** The changes that hold, with the rounds from which on they do. */
  get changes(): readonly { round: number; change: ActorChange }[] {
    return this.#until(Number.POSITIVE_INFINITY)
  }

  /** Whether the actor joins at this round: then it begins with its initial weights and theta. */
  joinsAt(actor: string, round: number): boolean {
    return (this.#changes.get(round) ?? []).some((change) => change.kind === 'add' && change.actor === actor)
  }

  /** How the actor's subcategories become others at this round, one mapping after the other. */
  mappingsAt(actor: string, round: number): MappedSubcategories[] {
    const changes = this.#changes.get(round) ?? []
    if (changes.every(({ mapping }) => mapping === null)) return []
    let before = this.at(round - 1).selection.actors.find(({ name }) => name === actor)?.subcategories
    return changes.flatMap(({ kind, actor: whose, mapping, subcategories, initialWeights }) => {
      if (kind !== 'relabel' || whose !== actor || mapping === null || before === undefined) return []
      const mapped = { before, mapping, initialWeights }
      before = subcategories
      return [mapped]
    })
  }

  /** Every actor that has been part of the run, also those that left, in the order in which they came. */
  get actorsEver(): readonly string[] {
    const added = this.changes.flatMap(({ change }) => (change.kind === 'add' ? [change.actor] : []))
    return [...new Set([...this.#recorded.selection.actors.map(({ name }) => name), ...added])]
  }

  #until(round: number): { round: number; change: ActorChange }[] {
    return [...this.#changes]
      .filter(([from]) => from <= round)
      .sort(([a], [b]) => a - b)
      .flatMap(([from, changes]) => changes.map((change) => ({ round: from, change })))
  }
}

/**
 * A run whose own settings a change does not fit goes on without it. Samples of other subcategories it could not fold, though: so a shadow or a replay with
 * other settings ends there.
 */
function unchanged(run: RunConfig, { actor, mapping, subcategories }: ActorChange, round: number): RunConfig {
  const known = run.selection.actors.find(({ name }) => name === actor)
  if (mapping === null || known === undefined || known.subcategories.join('\n') === subcategories.join('\n')) return run
  const why = relabelProblems(
    run,
    run.selection.actors.map((one) => (one === known ? { ...one, subcategories } : one)),
  )
  throw new WinnowError(
    'CONFIGURATION',
    `run ${run.name} cannot follow round ${round}, in which subcategories of ${actor} become others (${mappingInWords(mapping)})${why.length > 0 ? `: ${why.join('; ')}` : ''}`,
    { hint: 'Give it settings that name none of those that are gone, under another name.' },
  )
}

/** The configuration by openings that are all known. */
export function configurationBy(recorded: RunConfig, opened: Iterable<RoundOpened>): Configuration {
  const configuration = new Configuration(recorded)
  for (const one of opened) configuration.learn(one)
  return configuration
}

/** Whether this opening changed anything of how the run selects. */
export const changesRun = ({ changes = [], promoted = null, steered = [] }: Partial<RoundOpened>): boolean =>
  changes.length > 0 || promoted !== null || steered.length > 0

/** What rounds drew from the natural mixture, by round; of those alone that looked at the loss on other text. */
export const naturalShares = (opened: Iterable<Pick<RoundOpened, 'round'> & Partial<RoundOpened>>) =>
  new Map(
    [...opened].flatMap(({ round, otherText = null }): [number, number][] =>
      otherText === null ? [] : [[round, otherText.share]],
    ),
  )

/** What becomes of an actor, and from which round on; null: that is still open. */
export function changeInWords(change: ActorChange, round: number | null): string {
  const { kind, actor, fromRound, labelerVersion, fit, mapping } = change
  const fitted = fit === null ? '' : ` (${fitInWords(fit)})`
  const relabelled = `has labels of version ${labelerVersion}${fitted}${mapping === null ? '' : ` (${mappingInWords(mapping)})`}`
  const what = { add: 'joins', remove: 'leaves', freeze: 'is frozen', relabel: relabelled }[kind]
  const wanted = wishInWords(change)
  if (round !== null)
    return `actor ${actor} ${what} ${kind === 'relabel' ? 'from' : 'with'} round ${round}${kind === 'relabel' ? ' on' : ''}${wanted}`
  const waits = needsLabels(change) ? 'once its labels cover what the last selection saw' : 'with the next round'
  return `actor ${actor} ${what} ${waits}${fromRound === null ? '' : `, not before round ${fromRound}`}${wanted}`
}

/** Whether a change waits until the labels of its version are there. */
export const needsLabels = ({ kind }: Pick<ActorChange, 'kind'>): boolean => kind === 'add' || kind === 'relabel'

const fitInWords = ({ probes, rounds, run, spearman }: LabelerFit): string =>
  `fitted to ${probes} rewards of ${run}, round ${rounds.join(', ')}; Spearman ${spearman.toFixed(2)} on others`
