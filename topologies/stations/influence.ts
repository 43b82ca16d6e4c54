import { Reward, type RewardRequest, runTopics } from '../../schemas/index.ts'
import type { Delivered, Output, Processor } from '../node.ts'

/** Computes rewards at a checkpoint (Eq. 3; positive: a step on the text lowers the reference loss). */
export interface InfluenceModel {
  /** How: goes into every reward event. */
  readonly graphDigest: string
  readonly estimator: string
  readonly projectionSeed: string
  score(checkpoint: { path: string; digest: string }, texts: readonly string[]): Promise<number[]>
}

/** Reward requests in, rewards out. A document that several actors ask for is computed once a batch. */
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
    for (const requests of byCheckpoint.values()) await this.#answer(requests.map(({ value }) => value))
  }

  async #answer(requests: readonly RewardRequest[]): Promise<void> {
    const { checkpointPath, checkpointDigest } = requests[0]!
    const texts = [...new Map(requests.map(({ docId, text }) => [docId, text]))]
    const scores = await this.#model.score(
      { path: checkpointPath, digest: checkpointDigest },
      texts.map(([, text]) => text),
    )
    const rewardOf = new Map(texts.map(([docId], i) => [docId, scores[i]!]))
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
          reward: rewardOf.get(docId)!,
          checkpointDigest,
          graphDigest,
          estimator,
          projectionSeed,
        } satisfies Reward,
      })),
    )
  }
}
