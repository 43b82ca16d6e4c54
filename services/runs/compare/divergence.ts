import { runTopics } from '../../../schemas/index.ts'
import { type Answer, type RoundLedger, stretchesOf } from '../../../topologies/rounds/ledger.ts'
import { runConfigJson } from '../../../topologies/run-config.ts'
import { type Difference, differencesOf } from '../run-settings.ts'
import type { ComparedRound, ComparedRun } from './compared-run.ts'
import type { Both } from './overlap.ts'

/** A reward that only one run has, or that both have with other values; where it stands, as `[partition]@offset`. */
export interface RewardDifference {
  readonly docId: string
  readonly rewards: Both<number | null>
  readonly at: Both<string | null>
}

/** Rewards of an actor's subcategory in which two runs differ. */
export interface RewardsThatDiffer {
  readonly actor: string
  readonly subcategory: string
  /** Documents that both asked for and that both have an answer of. */
  readonly common: number
  /** Of these, how many have another reward. */
  readonly others: number
  /** Documents that only one run has an answer of. */
  readonly alone: Both<number>
  /** The first and last offset of each partition at which those stand that differ. */
  readonly offsets: Both<readonly { readonly partition: number; readonly first: number; readonly last: number }[]>
  /** Of documents ascending. */
  readonly first: RewardDifference
}

/** What the first round that differs was made from, as far as that differs. */
export interface Divergence {
  readonly round: number
  /** The first difference of the manifests, or of the ids in emission order. */
  readonly what: string
  /** Settings of the runs but for names and places: by path. */
  readonly settings: readonly Difference[]
  /** Changes of actors that only one of the openings up to this round has, in words; empty: none. */
  readonly actors: Both<readonly string[]>
  /** Whether the corpus that the round saw was another one, by the digest of its groups. */
  readonly corpus: boolean
  /** Checkpoint that rewards were asked at; null where they are the same. */
  readonly checkpoints: Both<string | null> | null
  /** m: how many documents of the previous selection had been read; null where they are the same. */
  readonly read: Both<number | null> | null
  readonly rewards: readonly RewardsThatDiffer[]
  /** Where the offsets of `rewards` stand. */
  readonly rewardTopics: Both<string>
}

export interface Diverged {
  readonly what: string
  readonly rounds: Both<ComparedRound>
  readonly ledgers: Both<RoundLedger | undefined>
}

/** Of a round that differs: what led to it. Everything that it was made from is in the log; what does not differ there is not named. */
export function divergenceOf(runs: Both<ComparedRun>, { what, rounds, ledgers }: Diverged): Divergence {
  const [a, b] = rounds
  const changes = runs.map(({ log }) =>
    log.opened.filter(({ round }) => round <= a.manifest.round).flatMap((one) => one.changes),
  )
  const ids = changes.map((some) => new Set(some.map(({ id }) => id)))
  const only = (side: 0 | 1) =>
    changes[side]!.filter(({ id }) => !ids[1 - side]!.has(id)).map(({ kind, actor }) => `${kind} ${actor}`)
  const answers = rounds.map(({ closed, config }, side) =>
    config.selection.actors.map(({ name, subcategories }) => ({
      ...{ name, subcategories },
      of: ledgers[side]?.answers(name, closed?.rewardOffsets ?? []) ?? [],
    })),
  )
  const rewards = answers[0]!.flatMap(({ name, subcategories, of }) => {
    const other = answers[1]!.find((one) => one.name === name)?.of ?? []
    return differing(of, other, name, subcategories)
  })
  const asked = [a.opened.checkpointDigest, b.opened.checkpointDigest] as const
  const read = [a.opened.previousRead, b.opened.previousRead] as const
  return {
    ...{ round: a.manifest.round, what },
    settings: differencesOf(settingsOf(runs[0]), settingsOf(runs[1])).filter(({ key }) => key !== 'checkpoints'),
    actors: [only(0), only(1)],
    corpus: a.manifest.histogramDigest !== b.manifest.histogramDigest,
    checkpoints: asked[0] === asked[1] ? null : asked,
    read: read[0] === read[1] ? null : read,
    rewards,
    rewardTopics: [runTopics(runs[0].rewardsOf).rewards.name, runTopics(runs[1].rewardsOf).rewards.name],
  }
}

/** As recorded, with actors by name. */
const settingsOf = ({ config }: ComparedRun): unknown => JSON.parse(runConfigJson(config))

/** By subcategory, those of an actor's answers that differ. */
function differing(
  a: readonly Answer[],
  b: readonly Answer[],
  actor: string,
  subcategories: readonly string[],
): RewardsThatDiffer[] {
  const ofB = new Map(b.map((answer) => [answer.docId, answer]))
  const inA = new Set(a.map(({ docId }) => docId))
  const pairs = [
    ...a.map((answer) => [answer, ofB.get(answer.docId)] as const),
    ...b.flatMap((answer) => (inA.has(answer.docId) ? [] : [[undefined, answer] as const])),
  ]
  const bySubcategory = Map.groupBy(pairs, ([left, right]) => (left ?? right)!.subcategory)
  return [...bySubcategory]
    .sort(([i], [j]) => i - j)
    .flatMap(([j, own]) => {
      const others = own.filter(([left, right]) => !Object.is(left?.reward, right?.reward))
      if (others.length === 0) return []
      const changed = others.filter(([left, right]) => left !== undefined && right !== undefined).length
      const [left, right] = others.reduce((first, pair) => (idOf(pair) < idOf(first) ? pair : first))
      const alone = (side: 0 | 1) => others.filter((pair) => pair[1 - side] === undefined).length
      return [
        {
          ...{ actor, subcategory: subcategories[j]!, others: changed },
          common: own.filter(([one, other]) => one !== undefined && other !== undefined).length,
          alone: [alone(0), alone(1)] as const,
          offsets: [
            stretchesOf(others.flatMap(([one]) => one ?? [])),
            stretchesOf(others.flatMap(([, one]) => one ?? [])),
          ] as const,
          first: {
            docId: `${idOf([left, right])}`,
            rewards: [left?.reward ?? null, right?.reward ?? null] as const,
            at: [placeOf(left), placeOf(right)] as const,
          },
        },
      ]
    })
}

const idOf = ([left, right]: readonly [Answer | undefined, Answer | undefined]) => (left ?? right)!.docId

const placeOf = (answer: Answer | undefined): string | null =>
  answer === undefined ? null : `[${answer.partition}]@${answer.offset}`
