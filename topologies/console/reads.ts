import type { DocumentId, Manifest, Progress, RoundOpened, SelectionRead, TopicOffset } from '../../schemas/index.ts'
import { type CorpusStore, columnsOf, mayExclude, type ViewOptions } from '../corpus-store.ts'
import { WinnowError } from '../errors.ts'
import type { RunConfig } from '../run-config.ts'
import { readsMatter, timesRead } from '../selection/reads.ts'
import { planByCells, strataOfRound, takenGroups } from '../selection/strata.ts'
import { decidedByCells } from '../selection/strategy.ts'
import { orderKey, seedOf } from '../selection/u64.ts'

/** A run's earlier selections, in emission order. */
export interface ReadsSource {
  /** @param index of the first document, from 0 */
  selection(manifest: Manifest, index: number): AsyncIterable<readonly DocumentId[]>
}

/**
 * How much was read of each selection (m), as of the last of these openings; null: not known. What an opening says of a selection holds until a later one
 * says more.
 * @param openings rounds ascending, from the first
 */
export function readsKnown(
  openings: Iterable<Pick<RoundOpened, 'round' | 'previousRead'> & Partial<RoundOpened>>,
): Map<number, number | null> {
  const known = new Map<number, number | null>()
  let before: number | undefined
  for (const { round, previousRead, reads = [] } of openings) {
    if (before !== undefined) known.set(before, previousRead)
    for (const { round, read } of reads) known.set(round, read)
    before = round
  }
  return known
}

/**
 * Of the selections that a trainer was given those before a round, each with how much was read of it when that round opened.
 * @param openings as of `readsKnown`; later ones than the round's count for nothing
 */
export function givenBefore(
  round: number,
  given: readonly Omit<SelectedRound, 'read'>[],
  openings: readonly RoundOpened[],
): SelectedRound[] {
  const known = readsKnown(openings.filter((opened) => opened.round <= round))
  return given
    .filter(({ manifest }) => manifest.round < round)
    .map((one) => ({ ...one, read: known.get(one.manifest.round) ?? null }))
}

/**
 * What a new opening says of the selections before the previous one, of which more was read than is known.
 * @param left of each selection that the trainer has left for a later one, how much it had read
 */
export function readSince(
  known: ReadonlyMap<number, number | null>,
  progress: Progress | undefined,
  left: ReadonlyMap<number, number>,
): SelectionRead[] {
  const reads: SelectionRead[] = []
  for (const [round, before] of known) {
    if (before === null) continue
    const read = Math.max(before, left.get(round) ?? 0, progress?.round === round ? progress.position : 0)
    if (read > before) reads.push({ round, read })
  }
  return reads
}

/** A round that was selected, and how many of its documents the trainer had passed by the opening of the round that asks. */
export interface SelectedRound {
  /** As the round had it. */
  readonly run: RunConfig
  readonly manifest: Manifest
  /** m; null: no report, the whole selection once. */
  readonly read: number | null
}

interface Ports {
  readonly store: CorpusStore
  readonly selections: ReadsSource
}

/** Whether a run's trainer reads on in a selection after the next round has opened: then more was read of it in the end than that opening says. */
export const readsOn = ({ trainer: { switch: mode = 'wait' } }: RunConfig): boolean => mode !== 'wait'

/**
 * How what was read is recorded: as conditions on cells if cells decide and are the same in all rounds, else by documents. A condition names documents by
 * what was known of earlier reads when its round was selected, so it holds only where that does not change and rounds counted reads alike; and whom it names does not tell who was excluded,
 * or a duplicate too many.
 * @param run as the round has it that looks at them
 * @param labelOffsets of that round
 */
export function recordedBy(
  run: RunConfig,
  history: readonly SelectedRound[],
  labelOffsets: readonly TopicOffset[],
): 'conditions' | 'documents' {
  if (readsOn(run) || mayExclude(labelOffsets)) return 'documents'
  const cells = JSON.stringify(columnsOf(run))
  const byCells = [run, ...history.map((selected) => selected.run)].every(
    ({ selection, ...one }) =>
      selection.duplicates === undefined &&
      JSON.stringify(columnsOf({ selection, ...one })) === cells &&
      decidedByCells(selection.strategy) &&
      readsMatter(selection) === readsMatter(run.selection),
  )
  return byCells ? 'conditions' : 'documents'
}

/**
 * Records what the trainer read of earlier selections (SELECTION.md, step 5): the i-th of n documents floor((m - i - 1) / n) + 1 times.
 * What is recorded already is left as it is, but for the last one, which may be recorded in part, and for those of which more was read since, with what
 * comes after them.
 * @param labelOffsets of the round that looks at them
 * @param viewAt what the round of an index of `history` selected from
 * @param since the selections of which more was read
 */
export async function recordReads(
  ports: Ports,
  run: RunConfig,
  history: readonly SelectedRound[],
  labelOffsets: readonly TopicOffset[],
  viewAt: (index: number) => ViewOptions,
  since: readonly SelectionRead[] = [],
): Promise<void> {
  const by = recordedBy(run, history, labelOffsets)
  const again = Math.min(...since.map(({ round }) => round), history.at(-1)?.manifest.round ?? 0)
  const recorded = await ports.store.readRounds(run.name, by)
  for (const [i, selected] of history.entries()) {
    if (recorded.has(selected.manifest.round) && selected.manifest.round < again) continue
    if (by === 'conditions') await recordByCells(ports, selected, viewAt(i))
    else await recordByDocuments(ports, selected)
  }
}

async function recordByCells(
  { store, selections }: Ports,
  { run: { name, selection: config }, manifest, read }: SelectedRound,
  view: ViewOptions,
): Promise<void> {
  const { round, weights, theta, labelOffsets, documents, strata, marginal } = manifest
  if (documents === 0) return
  const ofRound = strataOfRound(config, round, weights, theta, await (await store.view(view)).groups())
  const keyLasts = strata === null ? [marginal?.keyLast ?? null] : strata.map(({ keyLast }) => keyLast)
  const orderSeed = seedOf(config.seed, round, 'order')
  const m = read ?? documents
  const onceMore = m % documents
  const last = onceMore === 0 ? undefined : await idAt(selections, manifest, onceMore - 1)
  const condition = {
    ...{ labelOffsets, groups: takenGroups(planByCells(config, ofRound), keyLasts) },
    ...{ selectSeed: seedOf(config.seed, round, 'select'), orderSeed, timesAll: Math.floor(m / documents) },
    orderKeyLast: last === undefined ? null : orderKey(last, orderSeed),
  }
  await store.addReadSelection(name, round, condition, view)
}

async function idAt(selections: ReadsSource, manifest: Manifest, index: number): Promise<DocumentId> {
  for await (const ids of selections.selection(manifest, index)) {
    const [id] = ids
    if (id !== undefined) return id
  }
  const message = `the selection of round ${manifest.round} has no index ${index} of ${manifest.documents}`
  throw new WinnowError('GUARANTEE_VIOLATED', message)
}

async function recordByDocuments({ store, selections }: Ports, { manifest, read }: SelectedRound): Promise<void> {
  const m = read ?? manifest.documents
  async function* counts() {
    let index = 0
    for await (const ids of selections.selection(manifest, 0)) {
      const times = new Map<DocumentId, number>()
      for (const id of ids) {
        const count = timesRead(index++, manifest.documents, m)
        if (count > 0) times.set(id, count)
      }
      yield times
      if (index >= m) return
    }
  }
  await store.addReads(manifest.run, manifest.round, counts())
}
