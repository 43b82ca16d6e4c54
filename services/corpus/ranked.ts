import { candidatesOf } from '../../topologies/selection/candidates.ts'
import type { DocumentCondition } from '../../topologies/selection/conditions.ts'
import type { Amount, DocumentBlock } from '../../topologies/selection/corpus.ts'
import type { Group } from '../../topologies/selection/groups.ts'
import type { Remaining } from '../../topologies/selection/plan.ts'
import { takePrefix } from '../../topologies/selection/prefix.ts'
import type { RankedCut, Ranking, Sure } from '../../topologies/selection/ranked.ts'
import { startsOf } from './key-sql.ts'
import type { RankedSource } from './ranked-source.ts'
import { type AmountRow, amountOfRow, amountSql, conditionSql, float, rankedRowsSql, slackOf } from './ranked-sql.ts'
import { type Stretch, stretchOf } from './ranked-stretch.ts'
import { documentBlocks } from './sorted/documents-sql.ts'

/** `Corpus.held`. */
export async function heldOf(
  { sql, rows, parameters }: RankedSource,
  strata: readonly (readonly Group[])[],
  conditions: readonly DocumentCondition[],
): Promise<Amount[]> {
  const amounts: Amount[] = []
  for (const groups of strata) {
    if (conditions.length === 0 || groups.length === 0) {
      amounts.push({ documents: total(groups, 'documents'), tokens: total(groups, 'tokens') })
      continue
    }
    const admitted = [rows(groups), ...conditions.map(conditionSql)].join(' AND ')
    const [row] = await sql.query<AmountRow>(`SELECT ${amountSql} FROM ${admitted}`, parameters)
    amounts.push(amountOfRow(row!))
  }
  return amounts
}

const total = (groups: readonly Group[], unit: 'documents' | 'tokens'): number =>
  groups.reduce((sum, group) => sum + group[unit], 0)

/**
 * `Corpus.ranked`: histograms of g narrow the stretch of the order in which the budget ends, until few documents are left, which are read and
 * ranked exactly. What stands before them is taken unread.
 */
export async function rankedCut(
  source: RankedSource,
  groups: readonly Group[],
  ranking: Ranking,
  wanted: Remaining,
): Promise<RankedCut> {
  const [unit, amount] =
    'documents' in wanted ? (['documents', wanted.documents] as const) : (['tokens', wanted.tokens] as const)
  const none = { groups, ranking, sure: null, ids: new BigUint64Array(0), documents: 0, tokens: 0 }
  const nothing: RankedCut = { ...none, threshold: null, keyLast: null, refined: 0 }
  if (groups.length === 0 || amount <= 0) return nothing
  const ranked = rankedRowsSql(source.rows(groups), groups, ranking)
  const from = { ...source, parameters: { ...source.parameters, starts: startsOf(ranking.seed) } }
  const stretch = await stretchOf(from, ranked, ranking, unit, amount)
  if (stretch === null) return nothing

  const { sure, where } = openAround(stretch, ranking)
  const before = { ...stretch.before }
  const columns = [...ranking.scored.map((a) => `s${a}`), 'v']
  const blocks = documentBlocks(source.sql, groups, columns, `${ranked} AND ${where}`, from.parameters)
  const open = await candidatesOf(lessOpen(blocks, stretch, before), groups, { ...ranking, conditions: [] })
  const rest = amount - before[unit]
  const prefix = takePrefix(
    open,
    ranking.sampler,
    ranking.seed,
    unit === 'documents' ? { documents: rest } : { tokens: rest },
  )
  return {
    ...{ groups, ranking, sure, ...prefix },
    documents: before.documents + prefix.documents,
    tokens: before.tokens + prefix.tokens,
  }
}

/** The documents that are ranked exactly: those of the stretch, and what is as near to it as approximate values can err. */
function openAround({ where, sure, values }: Stretch, { sampler }: Ranking): { where: string; sure: Sure | null } {
  if (sampler.kind === 'top' || values === null) return { where, sure }
  const above = values.to + slackOf(sampler, values.to)
  const from = values.from - slackOf(sampler, values.from)
  return { where: `v >= ${float(from)} AND v <= ${float(above)}`, sure: { above, keyEnd: null } }
}

/** Passes blocks on, and takes from `before` what they hold of it. The last column of their scores is v. */
async function* lessOpen(
  blocks: AsyncIterable<DocumentBlock>,
  { values }: Stretch,
  before: { documents: number; tokens: number },
): AsyncGenerator<DocumentBlock> {
  for await (const block of blocks) {
    if (values !== null) {
      for (const [i, v] of block.scores.at(-1)!.entries()) {
        if (v <= values.to) continue
        before.documents -= 1
        before.tokens -= block.tokens[i]!
      }
    }
    yield block
  }
}
