import { createHash } from 'node:crypto'
import type { ActorState, Manifest, RoundOpened, SelectionChunk } from '../../schemas/index.ts'
import type { RunConfig } from '../run-config.ts'
import { updateTheta } from '../selection/console.ts'
import type { Corpus } from '../selection/corpus.ts'
import { type Selection, select } from '../selection/select.ts'

/** What a round's selection is computed from: all of it is in the log. */
export interface SelectionInputs {
  readonly run: RunConfig
  readonly opened: RoundOpened
  /** After this round's fold, in configuration order. */
  readonly actorStates: readonly ActorState[]
  /** Before this round's update, in configuration order. */
  readonly theta: readonly number[]
  readonly corpus: Corpus
}

export type ManifestBeforeEmission = Omit<Manifest, 'chunkOffsetFirst' | 'selectionDigest'>

/** Ids in a chunk of the selected-index stream: 64 KiB of ids, far below the broker's message limit. */
export const chunkDocuments = 8192

/** Theta (Eq. 8), scores (Eq. 6), exact top-k: everything about a round's selection but its place in the stream. */
export async function decideSelection(
  inputs: SelectionInputs,
): Promise<{ manifest: ManifestBeforeEmission; ids: AsyncIterable<BigUint64Array> }> {
  const { run, opened, actorStates, corpus } = inputs
  const config = run.selection
  const weights = actorStates.map((state) => state.weights)
  const { theta, actorRewards } =
    opened.round === 0
      ? { theta: [...inputs.theta], actorRewards: config.actors.map(() => null) }
      : updateTheta(
          config,
          opened.round,
          inputs.theta,
          weights,
          actorStates.map(({ rewards }) => rewards),
        )
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
      threshold: selection.threshold,
      marginal: marginalOf(selection),
      histogramDigest: selection.histogramDigest,
      labelOffsets: opened.labelOffsets,
      chunkDocuments,
    },
  }
}

function marginalOf({ marginal }: Selection): Manifest['marginal'] {
  if (marginal === null) return null
  const { groups: _, ...recorded } = marginal
  return recorded
}

/** Cuts emitted ids, which come in pieces of any size, into chunks of `chunkDocuments`, and digests them on the way. */
export async function* chunksOf(
  run: string,
  round: number,
  ids: AsyncIterable<BigUint64Array>,
  digested: (digest: string) => void,
): AsyncGenerator<SelectionChunk> {
  const hash = createHash('sha256')
  let chunk: bigint[] = []
  let indexFirst = 0
  for await (const piece of ids) {
    hash.update(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength))
    for (const id of piece) {
      chunk.push(id)
      if (chunk.length === chunkDocuments) {
        yield { run, round, indexFirst, docIds: chunk }
        indexFirst += chunk.length
        chunk = []
      }
    }
  }
  if (chunk.length > 0) yield { run, round, indexFirst, docIds: chunk }
  digested(hash.digest('hex'))
}
