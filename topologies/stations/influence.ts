import { type Checkpoint, Reward, type RewardRequest, runTopics } from '../../schemas/index.ts'
import type { Delivered, Output, Processor } from '../node.ts'

/** A reward and, with several reference tasks, the reward of each. */
export type Score = number | { readonly reward: number; readonly tasks: readonly number[] }

/** Computes rewards at a checkpoint (Eq. 3; positive: a step on the text lowers the reference loss). */
export interface InfluenceModel {
  /** How rewards are computed; goes into every reward event. */
  readonly graphDigest: string
  readonly estimator: string
  readonly projectionSeed: string
  score(checkpoint: CheckpointRef, texts: readonly string[]): Promise<readonly Score[]>
  /** Announces that `score` will be called at this checkpoint, so that it can be loaded meanwhile. */
  prepare?(checkpoint: CheckpointRef): void
}

/**
 * A weights file, or the index of a sharded one, with its digest (SHA-256, hexadecimal), so that a replaced or half-written file is detected.
 */
export type CheckpointRef = Readonly<Pick<Checkpoint, 'path' | 'digest'>>

/** Reward requests in, rewards out. A document requested by several actors is computed once per batch. */
export class Influence implements Processor {
  readonly #model: InfluenceModel
  readonly #output: Output

  constructor(model: InfluenceModel, output: Output) {
    this.#model = model
    this.#output = output
  }

  async process(batch: readonly Delivered[]): Promise<void> {
    const byCheckpoint = Map.groupBy(
      batch as readonly Delivered<RewardRequest>[],
      ({ value }) => value.checkpointDigest,
    )
    const groups = [...byCheckpoint.values()].map((requests) => requests.map(({ value }) => value))
    // A new checkpoint is loaded while the requests at the old one are answered.
    for (const requests of groups) this.#model.prepare?.(checkpointOf(requests))
    for (const requests of groups) await this.#answer(requests)
  }

  async #answer(requests: readonly RewardRequest[]): Promise<void> {
    const checkpoint = checkpointOf(requests)
    const texts = [...new Map(requests.map(({ docId, text }) => [docId, text]))]
    const scores = await this.#model.score(
      checkpoint,
      texts.map(([, text]) => text),
    )
    const scoreOf = new Map(texts.map(([docId], i) => [docId, scores[i]!]))
    const { graphDigest, estimator, projectionSeed } = this.#model
    await this.#output.send(
      requests.map(({ run, round, actor, docId }) => ({
        topic: runTopics(run).rewards.name,
        record: Reward,
        key: docId.toString(),
        value: {
          run,
          round,
          actor,
          docId,
          ...rewardsOf(scoreOf.get(docId)!),
          checkpointDigest: checkpoint.digest,
          graphDigest,
          estimator,
          projectionSeed,
        } satisfies Reward,
      })),
    )
  }
}

const checkpointOf = ([request]: readonly RewardRequest[]): CheckpointRef => ({
  path: request!.checkpointPath,
  digest: request!.checkpointDigest,
})

const rewardsOf = (score: Score): Pick<Reward, 'reward' | 'taskRewards'> =>
  typeof score === 'number'
    ? { reward: score, taskRewards: null }
    : { reward: score.reward, taskRewards: [...score.tasks] }
