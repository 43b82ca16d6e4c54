import type { DocumentCondition } from '../../topologies/selection/conditions.ts'
import type { Amount } from '../../topologies/selection/corpus.ts'
import type { Group } from '../../topologies/selection/groups.ts'
import type { LabelScore, Ranking, Sure } from '../../topologies/selection/ranked.ts'
import type { Sampler } from '../../topologies/selection/strategy.ts'
import { drawKeySql } from './key-sql.ts'
import { groupNumberSql } from './sorted/documents-sql.ts'

/**
 * A ranking (SELECTION.md, "Strategies") in SQL, over rows with l0, l1, .., place, tokens, s0, s1, .. and, if a group is read, reads. The score S
 * is exact there, by the same operations on float64 in the same order. G is not, since logarithms are the engine's: what it leaves uncertain is
 * ranked exactly from `slackOf` around the cut.
 */

/** How far g in SQL may be from the exact one, and more: the engine's logarithm is good to 10^-12 at least. */
export const slackOf = (sampler: Sampler, value: number): number =>
  sampler.kind === 'top' ? 0 : Math.min(1e-6 * Math.max(1, Math.abs(value)), Number.MAX_VALUE)

/**
 * The rows that a ranking admits, with `k`, their key, and `v`, their g. Ends in a condition, to which a statement may add.
 * @param rows ends in a condition
 */
export function rankedRowsSql(rows: string, groups: readonly Group[], ranking: Ranking): string {
  const { sampler, score, conditions } = ranking
  const s = typeof score === 'function' ? scoreOfGroupSql(groups, score) : scoreOfLabelSql(score, groups)
  const g = sampler.kind === 'top' ? 'score' : `score / ${float(sampler.temperature)} + ${gumbelSql('k')}`
  const admitted = [rows, ...conditions.map(conditionSql)].join(' AND ')
  // Adding 0 makes -0 and 0 one value.
  return `(SELECT *, ${g} + 0. AS v FROM (SELECT *, ${drawKeySql('place', 'starts')} AS k, ${s} AS score FROM ${admitted})) WHERE true`
}

export function conditionSql({ of }: DocumentCondition): string {
  if ('tokensFrom' in of) return `tokens >= ${float(of.tokensFrom)}`
  const bounds = [
    of.above === null ? 'true' : `s${of.actor} > ${float(of.above)}`,
    of.upTo === null ? 'true' : `s${of.actor} <= ${float(of.upTo)}`,
  ]
  return `(${bounds.join(' AND ')})`
}

export const sureSql = ({ above, keyEnd }: Sure): string =>
  keyEnd === null ? `v > ${float(above)}` : `(v > ${float(above)} OR (v = ${float(above)} AND k < ${keyEnd}))`

/** A float64, to the bit: literals in decimals are not parsed exactly by every version. */
export function float(value: number): string {
  return `reinterpretAsFloat64(toUInt64(${bitsOf(value)}))`
}

const bitsOf = (value: number): bigint => new BigUint64Array(new Float64Array([value]).buffer)[0]!

/** `decayed` of score.ts. */
function scoreOfLabelSql(label: LabelScore, groups: readonly Group[]): string {
  const { actor, sign, standardization, repetitionDecay } = label
  const own = `s${actor}`
  const standardized =
    standardization === null
      ? own
      : standardization.deviation === 0
        ? '0.'
        : `((${own} - ${float(standardization.mean)}) / ${float(standardization.deviation)})`
  const signed = `(${sign} * ${standardized})`
  if (repetitionDecay === 0 || groups.every(({ reads }) => reads === 0)) return signed
  const c = `(1 + ${float(repetitionDecay)} * toFloat64(reads))`
  return `if(${signed} >= 0, ${signed} / ${c}, ${signed} * ${c})`
}

function scoreOfGroupSql(groups: readonly Group[], scoreOf: (labels: readonly number[], reads: number) => number) {
  const scores = groups.map(({ labels, reads }) => scoreOf(labels, reads))
  if (scores.every((score) => score === scores[0])) return float(scores[0] ?? 0)
  return `reinterpretAsFloat64(${groupNumberSql(groups, scores.map(bitsOf))})`
}

/** `gumbelNearly` of gumbel.ts. */
export function gumbelSql(key: string): string {
  const low = `-log1p(-((toFloat64(${key}) + 0.5) / 18446744073709551616.))`
  const high = `-log((toFloat64(bitNot(${key})) + 0.5) / 18446744073709551616.)`
  return `-log(if(${key} < 9223372036854775808, ${low}, ${high}))`
}

/** A number for each float64, ascending as the values are. */
export const orderedBitsSql = (value: string): string =>
  `if(${value} < 0, bitNot(reinterpretAsUInt64(${value})), bitOr(reinterpretAsUInt64(${value}), 9223372036854775808))`

/** The float64 of such a number. */
export function ofOrderedBits(bits: bigint): number {
  const word = bits >= 2n ** 63n ? bits - 2n ** 63n : ~bits & (2n ** 64n - 1n)
  return new Float64Array(new BigUint64Array([word]).buffer)[0]!
}

/** Not named as a column is, which a condition may look at. */
export const amountSql = 'count() AS heldDocuments, sum(tokens) AS heldTokens'

export interface AmountRow {
  heldDocuments: string
  heldTokens: string
}

export const amountOfRow = ({ heldDocuments, heldTokens }: AmountRow): Amount => ({
  documents: Number(heldDocuments),
  tokens: Number(heldTokens),
})
