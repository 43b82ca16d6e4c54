import type { SelectionConfig } from './config.ts'
import type { Corpus } from './corpus.ts'
import type { Group } from './groups.ts'
import { standardization } from './moments.ts'
import { actorIndex, documentTest } from './pool.ts'
import type { Candidates } from './prefix.ts'
import { decayed, type ScoreOf } from './score.ts'
import { type Strategy, scoredActors } from './strategy.ts'

/**
 * The documents of these groups that are in the pool, with their scores, by stratum.
 * @param strata groups of each stratum
 * @param documents the number that take part in all
 */
export async function candidatesOf(
  corpus: Corpus,
  config: SelectionConfig,
  strategy: Strategy,
  scoreOfGroup: ScoreOf,
  strata: readonly (readonly Group[])[],
  documents: number,
): Promise<Candidates[]> {
  const test = await documentTest(strategy.pool, config.actors, corpus, documents)
  const scored = scoredActors(strategy, config.actors)
  const scoreOfLabel = await labelScore(corpus, config, strategy)
  const columnOf = new Map(scored.map((a, i) => [a, i]))
  const result: Candidates[] = []
  for (const groups of strata) {
    const cellScores = groups.map(({ labels, reads }) => scoreOfGroup(labels, reads))
    const columns = new GrowingColumns()
    for await (const block of corpus.documents(groups, scored)) {
      for (let i = 0; i < block.ids.length; i++) {
        const scoreOf = (a: number) => block.scores[columnOf.get(a)!]![i]!
        const tokens = block.tokens[i]!
        if (!test(tokens, scoreOf)) continue
        const group = block.groups[i]!
        const score = scoreOfLabel === null ? cellScores[group]! : scoreOfLabel(scoreOf, groups[group]!.reads)
        columns.add(block.ids, i, tokens, score)
      }
    }
    result.push(columns.candidates())
  }
  return result
}

/** S(x) of `score: label`, from a document's label scores and reads; null for scores that are constant on a cell. */
export async function labelScore(
  corpus: Pick<Corpus, 'scoreSums'>,
  { actors, repetitionDecay }: Pick<SelectionConfig, 'actors' | 'repetitionDecay'>,
  { score }: Strategy,
): Promise<((scoreOf: (actor: number) => number, reads: number) => number) | null> {
  if (score.kind !== 'label') return null
  const a = actorIndex(actors, score.actor)
  const f = score.standardize === 'corpus' ? standardization(await corpus.scoreSums(a)) : (x: number) => x
  return (scoreOf, reads) => decayed(score.sign * f(scoreOf(a)), repetitionDecay, reads)
}

const rowsFirst = 1024

/** Columns outside the JavaScript heap that double as they fill. */
class GrowingColumns {
  #ids = new BigUint64Array(rowsFirst)
  #tokens = new Float64Array(rowsFirst)
  #scores = new Float64Array(rowsFirst)
  #size = 0

  add(ids: BigUint64Array, at: number, tokens: number, score: number): void {
    if (this.#size === this.#ids.length) {
      this.#ids = new BigUint64Array(this.#ids.buffer.transfer(this.#ids.byteLength * 2))
      this.#tokens = new Float64Array(this.#tokens.buffer.transfer(this.#tokens.byteLength * 2))
      this.#scores = new Float64Array(this.#scores.buffer.transfer(this.#scores.byteLength * 2))
    }
    this.#ids[this.#size] = ids[at]!
    this.#tokens[this.#size] = tokens
    this.#scores[this.#size] = score
    this.#size += 1
  }

  candidates(): Candidates {
    return {
      ids: this.#ids.subarray(0, this.#size),
      tokens: this.#tokens.subarray(0, this.#size),
      scores: this.#scores.subarray(0, this.#size),
    }
  }
}
