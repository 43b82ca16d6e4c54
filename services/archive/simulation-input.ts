import { asDocumentId, RoundOpened, type TopicOffset, topics } from '../../schemas/index.ts'
import { readsKnown } from '../../topologies/console/reads.ts'
import { columnsOf, type ViewOptions } from '../../topologies/corpus-store.ts'
import { changesRun, naturalShares } from '../../topologies/rounds/configuration.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import type { SelectionConfig } from '../../topologies/selection/config.ts'
import type { Corpus } from '../../topologies/selection/corpus.ts'
import type { MemoryCorpus } from '../../topologies/selection/memory-corpus.ts'
import { readsMatter } from '../../topologies/selection/reads.ts'
import { defaultStrategy, scoredActors } from '../../topologies/selection/strategy.ts'
import { seedOf } from '../../topologies/selection/u64.ts'
import type { Runtime } from '../connections/connections.ts'
import { type RecordedRun, readRecordedRun } from '../runs/recorded.ts'
import { RoundLedgers } from '../runs/replay/folded.ts'
import { WinnowError } from '../runtime/errors.ts'
import type { RewardSpill } from '../simulate/reward-spill.ts'
import type { SimulationInput } from '../simulate/simulate.ts'

/**
 * What a simulation takes of a recorded run: the documents that took part in its rounds with the labels that it selected by, the rewards that its rounds
 * accepted, and how far its trainer had read. By the run's own configuration, its rounds come out as they were recorded.
 * @param config of the simulation
 * @throws WinnowError CONFIGURATION if the run has what a simulation has not: a corpus that grew, actors that changed on the way, a trainer that read on
 * in earlier selections, or one that read another run's; or if the configuration does not fit what was recorded
 */
export async function runInput(
  runtime: Pick<Runtime, 'kafka' | 'codec' | 'store'>,
  recorded: RunConfig,
  config: SelectionConfig,
): Promise<SimulationInput> {
  const log = await readRecordedRun(runtime, recorded.name)
  checkConfig(recorded, config)
  checkRun(recorded, log, config)
  const scored = scoredActors(config.strategy ?? defaultStrategy, config.actors).map((a) =>
    actorIn(recorded, config, a),
  )
  const columns = columnsOf(recorded)
  const viewAt = (labelOffsets: readonly TopicOffset[]) =>
    runtime.store.view({ columns, labelOffsets, readsOf: null, scored } satisfies ViewOptions)
  const corpus = await theCorpus(recorded.name, log, viewAt)
  return {
    documents: (into, onBlock) => addDocuments(corpus, recorded, config, scored, into, onBlock),
    rewards: (of, spill, onBlock) => addRewards(runtime, recorded, config, log, of, spill, onBlock),
    positions: async () => {
      const known = [...readsKnown(log.opened)]
      return new Map(known.flatMap(([round, read]): [number, number][] => (read === null ? [] : [[round, read]])))
    },
    naturalShares: naturalShares(log.opened),
  }
}

const actorIn = ({ selection }: RunConfig, { actors }: SelectionConfig, index: number): number =>
  selection.actors.findIndex(({ name }) => name === actors[index]!.name)

function checkConfig({ name, selection, reference }: RunConfig, config: SelectionConfig): void {
  for (const actor of config.actors) {
    const known = selection.actors.find((one) => one.name === actor.name)
    if (known === undefined)
      throw new WinnowError('CONFIGURATION', `run ${name} has no actor ${actor.name}: there are no labels of it`, {
        hint: `Its actors: ${selection.actors.map((one) => one.name).join(', ')}.`,
      })
    if (JSON.stringify(known.subcategories) !== JSON.stringify(actor.subcategories))
      throw new WinnowError('CONFIGURATION', `actor ${actor.name} of run ${name} has other subcategories`, {
        hint: `Name them as the run does: ${JSON.stringify(known.subcategories)}.`,
      })
  }
  if (config.price !== undefined && reference.other === undefined)
    throw new WinnowError('CONFIGURATION', `run ${name} recorded no rewards on other text, which a price needs`, {
      hint: 'Leave price out.',
    })
}

const unlike = (run: string, why: string): WinnowError =>
  new WinnowError('CONFIGURATION', `run ${run} cannot be simulated: ${why}`, {
    hint: 'Repeat it by `winnow replay`, which has all of that; --with tries other hyperparameters.',
  })

function checkRun({ name, shadowOf }: RunConfig, log: RecordedRun, config: SelectionConfig): void {
  if (shadowOf !== undefined)
    throw unlike(name, `it is a shadow, whose rewards and trainer are those of run ${shadowOf}`)
  if (config.duplicates !== undefined)
    throw unlike(name, 'it limits near duplicates, which a simulation knows nothing of')
  const changed = log.opened.find(changesRun)
  if (changed !== undefined) throw unlike(name, `its actors, settings or guards changed at round ${changed.round}`)
  const readOn = log.opened.find(({ reads = [] }) => reads.length > 0)
  if (readOn !== undefined && readsMatter(config))
    throw unlike(name, `by round ${readOn.round} its trainer had read on in a selection before the last one`)
}

/** The one corpus of all rounds. @throws WinnowError CONFIGURATION if they had several */
async function theCorpus(
  run: string,
  { opened, decisions }: RecordedRun,
  viewAt: (labelOffsets: readonly TopicOffset[]) => Promise<Corpus>,
): Promise<Corpus> {
  // Also as they were opened: what was sampled then is of that corpus.
  const openings = decisions
    .filter(({ record }) => record === RoundOpened.name)
    .map(({ value }) => value as RoundOpened)
  const states = new Map<string, RoundOpened>()
  for (const one of [...opened, ...openings]) {
    const key = JSON.stringify(one.labelOffsets)
    if (!states.has(key)) states.set(key, one)
  }
  const [first, ...others] = states.values()
  const corpus = await viewAt(first!.labelOffsets)
  const documents = await documentsOf(corpus)
  for (const { round, labelOffsets } of others) {
    // Exclusions take documents out while others come in: numbers would not tell.
    if (excludedBefore(labelOffsets) !== excludedBefore(first!.labelOffsets))
      throw unlike(run, `documents were excluded by round ${round}, and a simulation has one corpus`)
    const then = await documentsOf(await viewAt(labelOffsets))
    if (then !== documents)
      throw unlike(
        run,
        `${documents} documents took part in round ${first!.round} and ${then} in round ${round}, and a simulation has one corpus`,
      )
  }
  return corpus
}

const documentsOf = async (corpus: Corpus): Promise<number> =>
  (await corpus.groups()).reduce((sum, { documents }) => sum + documents, 0)

const excludedBefore = (labelOffsets: readonly TopicOffset[]): string =>
  JSON.stringify(labelOffsets.filter(({ topic }) => topic === topics.exclusions.name))

async function addDocuments(
  corpus: Corpus,
  recorded: RunConfig,
  config: SelectionConfig,
  scored: readonly number[],
  into: MemoryCorpus,
  onBlock: () => void,
): Promise<void> {
  const columns = config.actors.map((_, a) => actorIn(recorded, config, a))
  const order = seedOf(config.seed, 0, 'order')
  for await (const chunk of corpus.emit(await corpus.groups(), [], order)) {
    const ids = [...chunk].map(asDocumentId)
    for (const [id, { tokens, labels, scores }] of await corpus.describe(ids, scored)) {
      const byActor = columns.map((column) => scores[scored.indexOf(column)] ?? 0)
      into.add(
        id,
        tokens,
        columns.map((column) => labels[column]!),
        byActor,
      )
    }
    onBlock()
  }
}

async function addRewards(
  runtime: Pick<Runtime, 'kafka' | 'codec'>,
  recorded: RunConfig,
  config: SelectionConfig,
  log: RecordedRun,
  corpus: MemoryCorpus,
  spill: RewardSpill,
  onBlock: () => void,
): Promise<void> {
  const selected = new Set(log.manifests.map(({ round }) => round))
  await using ledgers = new RoundLedgers(runtime, { ...recorded, selection: config }, log)
  for (const { round, rewardOffsets } of log.closed) {
    if (round === 0 || !selected.has(round)) continue
    spill.open(round)
    const ledger = await ledgers.at(round)
    for (const [a, { name }] of config.actors.entries())
      for (const { docId, reward } of ledger?.answers(name, rewardOffsets) ?? []) {
        const document = corpus.find(Number(docId & 0xffffffffn), Number(docId >> 32n))
        if (document === -1)
          throw new WinnowError('GUARANTEE_VIOLATED', `round ${round} rewarded ${docId}, which takes no part in it`)
        spill.add(round, a, document, reward)
      }
    onBlock()
  }
}
