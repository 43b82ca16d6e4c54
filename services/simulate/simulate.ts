import { accessSync, constants, statSync } from 'node:fs'
import type { SelectionConfig } from '../../topologies/selection/config.ts'
import { foldRound, initialState, type SelectionState } from '../../topologies/selection/console.ts'
import { jointCells } from '../../topologies/selection/joint-config.ts'
import { MemoryCorpus } from '../../topologies/selection/memory-corpus.ts'
import { naturalShare, withNaturalShare } from '../../topologies/selection/other-bound.ts'
import { readsMatter } from '../../topologies/selection/reads.ts'
import { type Selection, select } from '../../topologies/selection/select.ts'
import { defaultStrategy, scoredActors } from '../../topologies/selection/strategy.ts'
import { WinnowError } from '../runtime/errors.ts'
import type { Log } from '../runtime/log.ts'
import { BufferedFile } from './buffered-file.ts'
import { readSelectionConfig } from './config-file.ts'
import { readLabels } from './read-labels.ts'
import { readPositions } from './read-positions.ts'
import { readRewards } from './read-rewards.ts'
import type { RejectionReason } from './reasons.ts'
import { Rejections } from './rejections.ts'
import { RewardSpill } from './reward-spill.ts'
import { rewardsOf } from './round-rewards.ts'
import { Staging } from './staging.ts'

/** Where the results of a simulation go, and who follows and ends it. */
export interface SimulationOptions {
  /** The folder for the results. */
  out: string
  signal?: AbortSignal | undefined
  /** Called now and then while documents are read (no total is known), and before each round. */
  onProgress?: ((doing: 'reading' | 'selecting', done: number, total: number | null) => void) | undefined
}

/** Files of SELECTION.md's "File interface"; labels, rewards and positions may be .gz. */
export interface SimulateOptions extends SimulationOptions {
  labels: string
  rewards: string
  config: string
  positions?: string | undefined
}

/** What a simulation runs on, each asked for once and in this order; `onBlock` is called now and then, and may throw to end it. */
export interface SimulationInput {
  documents(corpus: MemoryCorpus, onBlock: () => void): Promise<void>
  rewards(corpus: MemoryCorpus, spill: RewardSpill, onBlock: () => void): Promise<void>
  /** By round: how many documents of its selection the trainer had passed when the next round opened; of others all of them. */
  positions(rounds: readonly number[], onBlock: () => void): Promise<ReadonlyMap<number, number>>
  /** By round: the share of the natural mixture that a recorded run drew, where it bounded the loss on other text; of others that of the configuration. */
  readonly naturalShares: ReadonlyMap<number, number>
}

export interface SimulateSummary {
  documents: number
  rounds: {
    round: number
    documents: number
    tokens: number
    /** Taken over from the recorded run, whose loss on other text it follows: a simulation has none. Left out: 0, or none is. */
    naturalShare?: number
  }[]
  rejected: Partial<Record<RejectionReason, number>>
}

/**
 * Runs the rounds of a rewards file over the documents of a labels file, through the same functions as the live console.
 * @throws WinnowError CONFIGURATION (nothing is written), BAD_DATA for a file that cannot be read to its end, NORMALIZATION; an error leaves
 * the folder as it was
 */
export async function simulate(options: SimulateOptions, log: Log): Promise<SimulateSummary> {
  const config = readSelectionConfig(options.config)
  for (const file of [options.labels, options.rewards, options.positions]) if (file !== undefined) checkReadable(file)
  return await simulateOn(config, (rejections) => filesInput(options, config, rejections), options, log)
}

const filesInput = (
  { labels, rewards, positions }: SimulateOptions,
  config: SelectionConfig,
  rejections: Rejections,
): SimulationInput => ({
  documents: (corpus, onBlock) => readLabels(labels, config, corpus, rejections, onBlock),
  rewards: (corpus, spill, onBlock) => readRewards(rewards, config, corpus, spill, rejections, onBlock),
  positions: async (rounds, onBlock) =>
    positions === undefined ? new Map() : await readPositions(positions, rounds, rejections, onBlock),
  naturalShares: new Map(),
})

/** The same on documents, rewards and positions from elsewhere. @param inputOf given where what it does not accept is written */
export async function simulateOn(
  config: SelectionConfig,
  inputOf: (rejections: Rejections) => SimulationInput,
  options: SimulationOptions,
  log: Log,
): Promise<SimulateSummary> {
  const staging = new Staging(options.out)
  try {
    const summary = await simulateInto(staging, config, inputOf, options, log)
    staging.publish()
    return summary
  } catch (error) {
    staging.discard()
    throw error
  }
}

function checkReadable(file: string): void {
  try {
    accessSync(file, constants.R_OK)
    if (!statSync(file).isDirectory()) return
  } catch (error) {
    throw new WinnowError('BAD_DATA', `${file}: cannot be read: ${(error as Error).message}`, {
      hint: 'Name a readable file.',
      cause: error,
    })
  }
  throw new WinnowError('BAD_DATA', `${file}: is a folder`, { hint: 'Name a readable file.' })
}

async function simulateInto(
  staging: Staging,
  config: SelectionConfig,
  inputOf: (rejections: Rejections) => SimulationInput,
  options: SimulationOptions,
  log: Log,
): Promise<SimulateSummary> {
  using resources = new DisposableStack()
  const rejections = resources.adopt(new Rejections(staging.file('rejected.jsonl')), (file) => file.close())
  const spill = resources.adopt(new RewardSpill(staging.file('rewards.bin')), (file) => file.close())
  const corpus = new MemoryCorpus(
    config.actors.map(({ subcategories }) => subcategories.length),
    scoredActors(config.strategy ?? defaultStrategy, config.actors),
  )
  const checkAborted = () => throwIfAborted(options.signal)

  const input = inputOf(rejections)
  await input.documents(corpus, progressOf(corpus, options, checkAborted))
  log.info({ documents: corpus.size }, 'labels read')
  await input.rewards(corpus, spill, checkAborted)
  const rounds = [0, ...spill.rounds]
  log.info({ rounds: rounds.length }, 'rewards read')
  const positions = await input.positions(rounds, checkAborted)

  const roundsFile = resources.adopt(new BufferedFile(staging.file('rounds.jsonl')), (file) => file.close())
  const summary: SimulateSummary = { documents: corpus.size, rounds: [], rejected: {} }
  let state = initialState(config)
  for (const [done, round] of rounds.entries()) {
    checkAborted()
    options.onProgress?.('selecting', done, rounds.length)
    if (round > 0) state = foldRound(config, round, state, rewardsOf(config, round, corpus, spill))
    const weights = state.actors.map((actor) => actor.weights)
    const ofRound = withNaturalShare(config, input.naturalShares.get(round))
    const selection = await select(corpus, ofRound, round, weights, state.theta)
    const counted = readsMatter(config) && round !== rounds.at(-1)
    const passed = counted ? (positions.get(round) ?? selection.documents) : 0
    await writeSelection(staging.file(`selection-${round}.txt`), selection, corpus, passed, checkAborted)
    roundsFile.write(`${JSON.stringify(roundLine(round, config, state, selection))}\n`)
    const { documents, tokens, strata } = selection
    const isTakenOver = input.naturalShares.has(round) && naturalShare(ofRound) > 0
    summary.rounds.push({ round, documents, tokens, ...(isTakenOver && { naturalShare: naturalShare(ofRound) }) })
    log.info({ round, documents, tokens, strata }, 'round selected')
  }
  summary.rejected = Object.fromEntries(rejections.counts)
  return summary
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new WinnowError('INTERRUPTED', 'interrupted; nothing was written')
}

/** Documents between two progress reports. */
const progressDocuments = 16_384

function progressOf(corpus: MemoryCorpus, { onProgress }: SimulationOptions, checkAborted: () => void): () => void {
  let reported = 0
  return () => {
    checkAborted()
    if (corpus.size < reported + progressDocuments) return
    reported = corpus.size - (corpus.size % progressDocuments)
    onProgress?.('reading', corpus.size, null)
  }
}

/**
 * Writes the ids and counts those that the trainer read: no group of this round is needed any more, so this need not wait for the next. @param
 * passed how many of them the trainer had read when the next round opened; 0 if nothing depends on it
 */
async function writeSelection(
  path: string,
  selection: Selection,
  corpus: MemoryCorpus,
  passed: number,
  checkAborted: () => void,
): Promise<void> {
  const file = new BufferedFile(path)
  try {
    let index = 0
    for await (const ids of selection.ids) {
      checkAborted()
      file.write(`${ids.join('\n')}\n`)
      corpus.addReads(ids, index, selection.documents, passed)
      index += ids.length
    }
  } finally {
    file.close()
  }
}

function roundLine(round: number, config: SelectionConfig, state: SelectionState, selection: Selection) {
  const byActor = <T>(values: readonly T[]) =>
    Object.fromEntries(config.actors.map(({ name }, a) => [name, values[a]!]))
  return {
    round,
    weights: byActor(state.actors.map((actor) => actor.weights)),
    theta: byActor(state.theta),
    actorRewards: byActor(state.actorRewards),
    ...(jointCells(config) !== undefined && { residuals: state.actors.at(-1)!.weights }),
    documents: selection.documents,
    tokens: selection.tokens,
  }
}
