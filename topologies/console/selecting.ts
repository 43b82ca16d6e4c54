import { createHash, type Hash } from 'node:crypto'
import {
  type ActorState,
  asDocumentId,
  type DocumentId,
  Manifest,
  type RoundOpened,
  runTopics,
  SelectionChunk,
  type Stratum,
  type TopicOffset,
} from '../../schemas/index.ts'
import type { CorpusStore, LabelColumn } from '../corpus-store.ts'
import type { Send } from '../node.ts'
import type { RunConfig } from '../run-config.ts'
import { updateTheta } from '../selection/console.ts'
import type { Corpus } from '../selection/corpus.ts'
import { readsMatter } from '../selection/reads.ts'
import { type Selection, type StratumSelection, select } from '../selection/select.ts'
import { type ReadsSource, recordReads } from './reads.ts'

/** The inputs of a round's selection, all of them from the log. */
export interface SelectionInputs {
  readonly run: RunConfig
  readonly opened: RoundOpened
  /** After this round's fold, in configuration order. */
  readonly actorStates: readonly ActorState[]
  /** Of the previous round that selected; undefined: this is the first. */
  readonly previous: Manifest | undefined
  readonly store: CorpusStore
  readonly columns: readonly LabelColumn[]
  /** The run's own earlier selections, for counting what was read. */
  readonly selections: ReadsSource
}

/** A selection that is decided but not yet written. Its ids can be read once. */
export interface DecidedSelection {
  readonly manifest: Omit<Manifest, 'chunkOffsetFirst' | 'selectionDigest'>
  readonly ids: AsyncIterable<BigUint64Array>
}

/** Ids in a chunk of the selected-index stream: 64 KiB of ids, far below the broker's message limit. */
export const chunkDocuments = 8192

/** The corpus as a round of this run sees it: labels before these offsets and, if they matter, the run's reads. */
export function viewOf(
  { store, columns }: Pick<SelectionInputs, 'store' | 'columns'>,
  run: RunConfig,
  labelOffsets: readonly TopicOffset[],
): Promise<Corpus> {
  return store.view({ columns, labelOffsets, readsOf: readsMatter(run.selection) ? run.name : null, draws: true })
}

/** Counts reads, then computes theta (Eq. 8), scores (Eq. 6) and the exact top-k: all of a selection except its place in the stream. */
export async function decideSelection(inputs: SelectionInputs): Promise<DecidedSelection> {
  const { run, opened, actorStates, previous, store, selections } = inputs
  const config = run.selection
  if (previous !== undefined && readsMatter(config)) await recordReads(store, selections, previous, opened.previousRead)
  const weights = actorStates.map((state) => state.weights)
  const thetaBefore = previous?.theta ?? config.actors.map(({ initialTheta }) => initialTheta)
  const { theta, actorRewards } =
    opened.round === 0
      ? { theta: [...thetaBefore], actorRewards: config.actors.map(() => null) }
      : updateTheta(
          config,
          opened.round,
          thetaBefore,
          weights,
          actorStates.map(({ rewards }) => rewards),
        )
  const corpus = await viewOf(inputs, run, opened.labelOffsets)
  const selection = await select(corpus, config, opened.round, weights, theta)
  return {
    ids: selection.ids,
    manifest: {
      run: run.name,
      round: opened.round,
      step: opened.step,
      actors: config.actors.map(({ name }) => name),
      theta,
      weights,
      actorRewards,
      documents: selection.documents,
      tokens: selection.tokens,
      ...cutOf(selection),
      strata: config.strategy === undefined ? null : selection.strata.map(recordedStratum),
      histogramDigest: selection.histogramDigest,
      labelOffsets: opened.labelOffsets,
      chunkDocuments,
    },
  }
}

/**
 * Writes a selection: its chunks in sequence, so that they are contiguous, then the manifest that says where they are.
 * @param send of a transaction in which nothing else writes chunks
 */
export async function emitSelection(send: Send, { manifest, ids }: DecidedSelection): Promise<Manifest> {
  const { run, round } = manifest
  const topics = runTopics(run)
  const hash = createHash('sha256')
  let chunkOffsetFirst = -1
  for await (const value of chunksOf(run, round, ids, hash)) {
    const [landed] = await send([{ topic: topics.selections.name, record: SelectionChunk, key: `${round}`, value }])
    if (chunkOffsetFirst === -1) chunkOffsetFirst = landed!.offsetFirst
  }
  const value: Manifest = { ...manifest, selectionDigest: hash.digest('hex'), chunkOffsetFirst }
  await send([{ topic: topics.consoleState.name, record: Manifest, key: `selected/${round}`, value }])
  return value
}

/** Threshold and cut of a selection without a mixture; with a mixture each stratum has its own. */
function cutOf({ strata }: Selection): Pick<Manifest, 'threshold' | 'marginal'> {
  const [only, ...others] = strata
  if (only === undefined || others.length > 0) return { threshold: null, marginal: null }
  const { threshold, marginal } = only
  if (marginal === null) return { threshold, marginal }
  const { groups: _, ...recorded } = marginal
  return { threshold, marginal: recorded }
}

function recordedStratum({ held, marginal, ...stratum }: StratumSelection): Stratum {
  return {
    ...stratum,
    ...{ heldDocuments: held.documents, heldTokens: held.tokens },
    keyLast: marginal?.keyLast ?? null,
  }
}

/** Cuts emitted ids, which come in pieces of any size, into chunks of `chunkDocuments`, and hashes them. */
async function* chunksOf(
  run: string,
  round: number,
  ids: AsyncIterable<BigUint64Array>,
  hash: Hash,
): AsyncGenerator<SelectionChunk> {
  let chunk: DocumentId[] = []
  let indexFirst = 0
  for await (const piece of ids) {
    hash.update(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength))
    for (const id of piece) {
      chunk.push(asDocumentId(id))
      if (chunk.length === chunkDocuments) {
        yield { run, round, indexFirst, docIds: chunk }
        indexFirst += chunk.length
        chunk = []
      }
    }
  }
  if (chunk.length > 0) yield { run, round, indexFirst, docIds: chunk }
}
