import { type Checkpoint, Reward, type RewardRequest, runTopics } from '../../schemas/index.ts'
import { type Booking, bookWork, timed } from '../ledger/booking.ts'
import { type ModelCost, type WorkedOn, workOn } from '../ledger/pieces.ts'
import type { Delivered, Output, Processor } from '../node.ts'

/** A reward and, with several reference tasks, the reward of each. */
export type Score = number | { readonly reward: number; readonly tasks: readonly number[] }

/** What computing rewards costs, for the ledger. */
export interface InfluenceCost {
  readonly purpose: 'rewards' | 'probes'
  /** Of documents. */
  readonly documents: ModelCost
  /** Of the reference at a checkpoint, which is prepared once, and its tokens. */
  readonly reference: ModelCost & { readonly sequences: number; readonly tokens: number }
}

/** Computes rewards at a checkpoint (Eq. 3; positive: a step on the text lowers the reference loss). */
export interface InfluenceModel {
  /** How rewards are computed; goes into every reward event. */
  readonly graphDigest: string
  readonly estimator: string
  readonly projectionSeed: string
  /** Left out: its work is not booked. */
  readonly cost?: InfluenceCost
  score(checkpoint: CheckpointRef, texts: readonly string[]): Promise<readonly Score[]>
  /** As score, with how many tokens the model read of each text, for the ledger. Left out: none are counted. */
  scoreRead?(
    checkpoint: CheckpointRef,
    texts: readonly string[],
  ): Promise<{ scores: readonly Score[]; read: readonly number[] }>
  /** Announces that `score` will be called at this checkpoint, so that it can be loaded meanwhile. */
  prepare?(checkpoint: CheckpointRef): void
  /** Resolves when the reference is ready at this checkpoint, so that its time can be told from that of documents. */
  prepared?(checkpoint: CheckpointRef): Promise<void>
}

/**
 * A weights file, or the index of a sharded one, with its digest (SHA-256, hexadecimal), so that a replaced or half-written file is detected.
 */
export type CheckpointRef = Readonly<Pick<Checkpoint, 'path' | 'digest'>>

/** Reward requests in, rewards out. A document requested by several actors is computed once per batch. */
export class Influence implements Processor {
  readonly #model: InfluenceModel
  readonly #output: Output
  readonly #booking: Booking | undefined
  /** Digests of the checkpoints whose reference is booked. */
  readonly #booked = new Set<string>()

  /** @param booking left out: work is not booked */
  constructor(model: InfluenceModel, output: Output, booking?: Booking) {
    this.#model = model
    this.#output = output
    this.#booking = booking
  }

  async process(batch: readonly Delivered[]): Promise<void> {
    const byCheckpoint = Map.groupBy(
      batch as readonly Delivered<RewardRequest>[],
      ({ value }) => value.checkpointDigest,
    )
    const groups = [...byCheckpoint.values()].map((requests) => requests.map(({ value }) => value))
    // A new checkpoint is loaded while the requests at the old one are answered.
    for (const requests of groups) this.#model.prepare?.(checkpointOf(requests))
    const read = new Map<RewardRequest, number>()
    let seconds = 0
    for (const requests of groups) {
      await this.#prepare(requests)
      const answered = await timed(this.#booking, () => this.#answer(requests))
      seconds += answered.seconds
      for (const [request, tokens] of answered.value) read.set(request, tokens)
    }
    await this.#book(batch as readonly Delivered<RewardRequest>[], read, seconds)
  }

  /** The reference at a checkpoint is booked once for the run, whoever prepares it and how often. */
  async #prepare(requests: readonly RewardRequest[]): Promise<void> {
    const { cost, estimator } = this.#model
    const { run, checkpointDigest: digest } = requests[0]!
    if (this.#booking === undefined || cost === undefined || this.#booked.has(digest)) return
    const { seconds } = await timed(this.#booking, async () => this.#model.prepared?.(checkpointOf(requests)))
    const { sequences, tokens, ...model } = cost.reference
    const kind = {
      run,
      purpose: 'reference',
      subject: estimator,
      stream: `checkpoint ${digest}`,
      partition: 0,
    } as const
    const pieces = workOn(kind, model, [{ at: 0, tokens }], 1, seconds)
    await bookWork(
      this.#output,
      runTopics(run).work.name,
      pieces.map((piece) => ({ ...piece, documents: sequences })),
    )
    this.#booked.add(digest)
  }

  /** Each document counts once, at the first request for it. */
  async #book(
    batch: readonly Delivered<RewardRequest>[],
    read: ReadonlyMap<RewardRequest, number>,
    seconds: number,
  ): Promise<void> {
    const { cost, estimator } = this.#model
    const first = batch[0]
    if (this.#booking === undefined || cost === undefined || first === undefined) return
    const { topic: stream, partition, value } = first
    const { run } = value
    const items: WorkedOn[] = batch.flatMap(({ offset, value: request }) => {
      const tokens = read.get(request)
      return tokens === undefined ? [] : [{ at: offset, tokens }]
    })
    const kind = { run, purpose: cost.purpose, subject: estimator, stream, partition }
    const pieces = workOn(kind, cost.documents, items, batch.at(-1)!.offset + 1, seconds)
    await bookWork(this.#output, runTopics(run).work.name, pieces)
  }

  /** @returns the first request of each document, and what the model read of it */
  async #answer(requests: readonly RewardRequest[]): Promise<[RewardRequest, number][]> {
    const checkpoint = checkpointOf(requests)
    const texts = [...new Map(requests.map(({ docId, text }) => [docId, text]))]
    const { scores, read } = await this.#score(
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
    const firsts = new Map(requests.toReversed().map((request) => [request.docId, request]))
    return texts.map(([docId], i) => [firsts.get(docId)!, read?.[i] ?? 0])
  }

  async #score(
    checkpoint: CheckpointRef,
    texts: readonly string[],
  ): Promise<{ scores: readonly Score[]; read?: readonly number[] }> {
    if (this.#model.scoreRead !== undefined) return await this.#model.scoreRead(checkpoint, texts)
    return { scores: await this.#model.score(checkpoint, texts) }
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
