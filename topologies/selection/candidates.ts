import type { DocumentBlock } from './corpus.ts'
import type { Group } from './groups.ts'
import type { Candidates } from './prefix.ts'
import { type Ranking, scoreOfLabel } from './ranked.ts'

/**
 * The documents that a ranking's conditions admit, with their scores S.
 * @param blocks with the scores of `ranking.scored`
 * @param groups that the blocks number
 */
export async function candidatesOf(
  blocks: AsyncIterable<DocumentBlock>,
  groups: readonly Group[],
  { conditions, score, scored }: Ranking,
): Promise<Candidates> {
  const columnOf = new Map(scored.map((a, i) => [a, i]))
  const scoreOfGroup = typeof score === 'function' ? groups.map(({ labels, reads }) => score(labels, reads)) : null
  const columns = new GrowingColumns()
  for await (const block of blocks) {
    for (let i = 0; i < block.ids.length; i++) {
      const labelOf = (a: number) => block.scores[columnOf.get(a)!]![i]!
      const tokens = block.tokens[i]!
      if (!conditions.every(({ holds }) => holds(tokens, labelOf))) continue
      const group = block.groups[i]!
      const own =
        typeof score === 'function'
          ? scoreOfGroup![group]!
          : scoreOfLabel(score, labelOf(score.actor), groups[group]!.reads)
      columns.add(block.ids, i, tokens, own)
    }
  }
  return columns.candidates()
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
