import type { ActorConfig, SelectionConfig } from './config.ts'
import type { Corpus } from './corpus.ts'
import { standardization } from './moments.ts'
import { actorIndex, documentConditions } from './pool.ts'
import type { LabelScore, Ranking } from './ranked.ts'
import type { ScoreOf } from './score.ts'
import { type Strategy, scoredActors } from './strategy.ts'
import type { Seed } from './u64.ts'

/** @param documents that take part in all */
export async function rankingOf(
  corpus: Pick<Corpus, 'scoreSums' | 'scoresAt'>,
  config: SelectionConfig,
  strategy: Strategy,
  scoreOfGroup: ScoreOf,
  documents: number,
  seed: Seed,
): Promise<Ranking> {
  return {
    conditions: await documentConditions(strategy.pool, config.actors, corpus, documents),
    score: (await labelScore(corpus, config, strategy)) ?? scoreOfGroup,
    scored: scoredActors(strategy, config.actors),
    sampler: strategy.sampler,
    seed,
  }
}

/** Null for scores that are constant on a cell. */
export async function labelScore(
  corpus: Pick<Corpus, 'scoreSums'>,
  { actors, repetitionDecay }: { readonly actors: readonly ActorConfig[]; readonly repetitionDecay: number },
  { score }: Strategy,
): Promise<LabelScore | null> {
  if (score.kind !== 'label') return null
  const actor = actorIndex(actors, score.actor)
  const ofCorpus = score.standardize === 'corpus' ? standardization(await corpus.scoreSums(actor)) : null
  return { actor, sign: score.sign, standardization: ofCorpus, repetitionDecay }
}
