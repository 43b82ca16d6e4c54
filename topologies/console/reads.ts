import type { DocumentId, Manifest } from '../../schemas/index.ts'
import { type CorpusStore, columnsOf, type ViewOptions } from '../corpus-store.ts'
import { WinnowError } from '../errors.ts'
import type { RunConfig } from '../run-config.ts'
import { timesRead } from '../selection/reads.ts'
import { decidedByCells, planByCells, strataOfRound, takenGroups } from '../selection/strata.ts'
import { orderKey, seedOf } from '../selection/u64.ts'

/** A run's earlier selections, in emission order. */
export interface ReadsSource {
  /** @param index of the first document, from 0 */
  selection(manifest: Manifest, index: number): AsyncIterable<readonly DocumentId[]>
}

/** A round that was selected, and how many of its documents the trainer had passed when the next one opened. */
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

/**
 * How what was read is recorded: as conditions on cells if cells decide and are the same in all rounds, else by documents.
 * @param run as the round has it that looks at them
 */
export function recordedBy(run: RunConfig, history: readonly SelectedRound[]): 'conditions' | 'documents' {
  const cells = JSON.stringify(columnsOf(run))
  const same = history.every((selected) => JSON.stringify(columnsOf(selected.run)) === cells)
  return same && decidedByCells(run.selection.strategy) ? 'conditions' : 'documents'
}

/**
 * Records what the trainer read of earlier selections (SELECTION.md, step 5): the i-th of n documents floor((m - i - 1) / n) + 1 times.
 * What is recorded already is left as it is, but for the last one, which may be recorded in part.
 * @param viewAt what the round of an index of `history` selected from
 */
export async function recordReads(
  ports: Ports,
  run: RunConfig,
  history: readonly SelectedRound[],
  viewAt: (index: number) => ViewOptions,
): Promise<void> {
  const by = recordedBy(run, history)
  const recorded = await ports.store.readRounds(run.name, by)
  for (const [i, selected] of history.entries()) {
    if (recorded.has(selected.manifest.round) && i < history.length - 1) continue
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
