import type { DocumentId, Offset, Partition, Reward, RoundOpened, TopicOffset } from '../../schemas/index.ts'
import { countedReward, type RewardRules } from '../selection/price.ts'

export type Verdict =
  | 'accepted'
  | 'duplicate'
  | 'late'
  | 'unknown-round'
  | 'unknown-actor'
  | 'unknown-document'
  | 'not-finite'
  | 'unpriced'
  | 'wrong-checkpoint'

/** Why a reward was not accepted, in words; a duplicate is an ordinary redelivery and has no reason. */
export const refusals: Partial<Record<Verdict, string>> = {
  late: 'arrived after its round was closed',
  'unknown-round': 'is for another run or round',
  'unknown-actor': 'names an actor for which this round has no requests',
  'unknown-document': 'names a document that this round did not request',
  'not-finite': 'is not finite, or not finite once transformed',
  unpriced: 'has no finite reward on other text, which the price of its run needs',
  'wrong-checkpoint': 'was computed at a different checkpoint than requested',
}

interface Entry {
  readonly subcategory: number
  readonly labels: readonly number[] | undefined
  answer: { reward: number; partition: Partition; offset: Offset } | undefined
}

/** What counts of an accepted reward, and where it stands in the run's rewards. */
export interface Answer {
  readonly docId: DocumentId
  readonly subcategory: number
  /** Its document's, if they were recorded. */
  readonly labels?: readonly number[] | undefined
  readonly reward: number
  readonly partition: Partition
  readonly offset: Offset
}

/** The first and last offset of each partition at which answers stand, partitions ascending. */
export function stretchesOf(
  answers: readonly Pick<Answer, 'partition' | 'offset'>[],
): { partition: Partition; first: Offset; last: Offset }[] {
  const stretches = new Map<Partition, { partition: Partition; first: Offset; last: Offset }>()
  for (const { partition, offset } of answers) {
    const { first, last } = stretches.get(partition) ?? { first: offset, last: offset }
    stretches.set(partition, { partition, first: Math.min(first, offset), last: Math.max(last, offset) })
  }
  return [...stretches.values()].sort((a, b) => a.partition - b.partition)
}

/** Accepted rewards of one actor: documents ascending, with the subcategory each was sampled for. */
export interface AcceptedRewards {
  readonly actor: string
  readonly docIds: readonly DocumentId[]
  readonly subcategories: readonly number[]
  readonly rewards: readonly number[]
  /** Of each document, for every actor of the round; left out if they were not recorded (`collaboration: joint`). */
  readonly labels?: readonly (readonly number[])[]
  /** Documents that each subcategory of the actor was drawn from; likewise. */
  readonly held?: readonly number[]
}

/**
 * Requests and answers of one round. What it accepts does not depend on the order of arrival: of several answers to one request
 * the one at the lowest offset counts (answers to a request share a key and so a partition).
 */
export class RoundLedger {
  readonly requested: number
  #answered = 0
  readonly #run: string
  readonly #round: number
  readonly #checkpointDigest: string | null
  readonly #rules: RewardRules
  readonly #entries = new Map<string, Map<DocumentId, Entry>>()
  /** By actor and subcategory, where they were recorded. */
  readonly #held = new Map<string, number[]>()

  /** @param rules the run's: what of rewards counts, and what is applied to that: one that would not stay finite is not accepted */
  constructor(opened: RoundOpened, rules: RewardRules) {
    this.#rules = rules
    this.#run = opened.run
    this.#round = opened.round
    this.#checkpointDigest = opened.checkpointDigest
    let requested = 0
    for (const { actor, subcategory, docIds, labels, held } of opened.samples) {
      const entries = this.#entries.get(actor) ?? new Map<DocumentId, Entry>()
      this.#entries.set(actor, entries)
      for (const [i, docId] of docIds.entries())
        entries.set(docId, { subcategory, labels: labels[i], answer: undefined })
      if (held > 0) this.#hold(actor, subcategory, held)
      requested += docIds.length
    }
    this.requested = requested
  }

  get missing(): number {
    return this.requested - this.#answered
  }

  accept(reward: Reward, partition: Partition, offset: Offset): Verdict {
    if (reward.run !== this.#run || reward.round !== this.#round) return 'unknown-round'
    const entries = this.#entries.get(reward.actor)
    if (entries === undefined) return 'unknown-actor'
    const entry = entries.get(reward.docId)
    if (entry === undefined) return 'unknown-document'
    const counted = countedReward(this.#rules, reward.reward, reward.taskRewards?.at(-1))
    if (typeof counted === 'string') return counted
    if (reward.checkpointDigest !== this.#checkpointDigest) return 'wrong-checkpoint'
    if (entry.answer !== undefined && entry.answer.offset <= offset) return 'duplicate'
    if (entry.answer === undefined) this.#answered++
    entry.answer = { reward: counted, partition, offset }
    return 'accepted'
  }

  /** The rewards of an actor before `limits`, with where they stand in the log, documents ascending. */
  answers(actor: string, limits: readonly TopicOffset[]): Answer[] {
    const limitOf = new Map(limits.map(({ partition, offsetNext }) => [partition, offsetNext]))
    return [...(this.#entries.get(actor) ?? [])]
      .flatMap(([docId, { subcategory, labels, answer }]) =>
        answer === undefined ? [] : [{ docId, subcategory, labels, ...answer }],
      )
      .filter(({ partition, offset }) => offset < (limitOf.get(partition) ?? 0))
      .sort((a, b) => (a.docId < b.docId ? -1 : 1))
  }

  /** The rewards before `limits`, actors in the order of `actors`, documents ascending (SELECTION.md, step 3). */
  accepted(actors: readonly string[], limits: readonly TopicOffset[]): AcceptedRewards[] {
    return actors.map((actor) => {
      const answers = this.answers(actor, limits)
      return {
        actor,
        docIds: answers.map(({ docId }) => docId),
        subcategories: answers.map(({ subcategory }) => subcategory),
        rewards: answers.map(({ reward }) => reward),
        ...(this.#held.has(actor) && {
          labels: answers.map(({ labels }) => labels!),
          held: this.#held.get(actor)!,
        }),
      }
    })
  }

  #hold(actor: string, subcategory: number, documents: number): void {
    const held = this.#held.get(actor) ?? []
    this.#held.set(actor, held)
    while (held.length <= subcategory) held.push(0)
    held[subcategory] = documents
  }
}
