import { WinnowError } from '../../topologies/errors.ts'
import type { Amount } from '../../topologies/selection/corpus.ts'
import type { Ranking, Sure } from '../../topologies/selection/ranked.ts'
import type { RankedSource } from './ranked-source.ts'
import { type AmountRow, amountOfRow, amountSql, float, ofOrderedBits, orderedBitsSql } from './ranked-sql.ts'

/** Of ranked documents, a stretch of their order. */
export interface Stretch {
  /** A condition on v and k. */
  readonly where: string
  /** What stands before it. */
  readonly before: Amount
  readonly sure: Sure | null
  readonly documents: number
  /** Its values of g, both included; null: all. */
  readonly values: { readonly from: number; readonly to: number } | null
}

const openMaxDefault = 20_000

/** A histogram in ranges of numbers of 64 bits that have their highest bits in common. */
interface Level {
  readonly of: 'value' | 'key'
  readonly shift: bigint
}

/** Approximate values are not worth more bits than these: a 268-millionth of their magnitude. */
const levelsOfNearly: readonly Level[] = [
  { of: 'value', shift: 44n },
  { of: 'value', shift: 24n },
]
/** Equal values may be many: keys tell them apart. */
const levelsOfExact: readonly Level[] = [
  ...levelsOfNearly,
  { of: 'value', shift: 0n },
  { of: 'key', shift: 44n },
  { of: 'key', shift: 24n },
]

/** The stretch of the order in which the budget ends, or that ends the order; null if there are no documents. */
export async function stretchOf(
  source: RankedSource,
  ranked: string,
  { sampler }: Ranking,
  unit: 'documents' | 'tokens',
  wanted: number,
): Promise<Stretch | null> {
  const openMax = source.openMax ?? openMaxDefault
  const whole: Stretch = {
    ...{
      where: 'true',
      before: { documents: 0, tokens: 0 },
      sure: null,
      documents: Number.POSITIVE_INFINITY,
      values: null,
    },
  }
  let stretch = whole
  for (const level of sampler.kind === 'top' ? levelsOfExact : levelsOfNearly) {
    if (stretch.documents <= openMax) break
    const next = await narrowed(source, ranked, stretch, level, unit, wanted)
    if (next === null) return null
    stretch = next
  }
  return stretch
}

async function narrowed(
  { sql, parameters }: RankedSource,
  ranked: string,
  stretch: Stretch,
  { of, shift }: Level,
  unit: 'documents' | 'tokens',
  wanted: number,
): Promise<Stretch | null> {
  const number = of === 'value' ? orderedBitsSql('v') : 'k'
  const rows = await sql.query<AmountRow & { at: string; bad: string }>(
    `SELECT bitShiftRight(${number}, ${shift}) AS at, ${amountSql}, countIf(isNaN(v)) AS bad
     FROM ${ranked} AND ${stretch.where} GROUP BY at ORDER BY at ${of === 'value' ? 'DESC' : 'ASC'}`,
    parameters,
  )
  if (rows.some(({ bad }) => bad !== '0' && Number(bad) !== 0)) throw notANumber()
  let before = stretch.before
  for (const [i, row] of rows.entries()) {
    const amount = amountOfRow(row)
    const after = { documents: before.documents + amount.documents, tokens: before.tokens + amount.tokens }
    if (after[unit] >= wanted || i === rows.length - 1) {
      const first = BigInt(row.at) << shift
      const last = first + (1n << shift) - 1n
      return {
        ...(of === 'value' ? ofValues(first, last) : ofKeys(stretch, first, last)),
        before,
        documents: amount.documents,
      }
    }
    before = after
  }
  return null
}

type Range = Pick<Stretch, 'where' | 'sure' | 'values'>

function ofValues(first: bigint, last: bigint): Range {
  const values = { from: ofOrderedBits(first), to: ofOrderedBits(last) }
  return {
    where: `${orderedBitsSql('v')} BETWEEN ${first} AND ${last}`,
    sure: { above: values.to, keyEnd: null },
    values,
  }
}

/** Of documents that all have one value. */
function ofKeys({ values }: Stretch, first: bigint, last: bigint): Range {
  const value = values!.to
  return {
    where: `v = ${float(value)} AND k BETWEEN ${first} AND ${last}`,
    sure: { above: value, keyEnd: first },
    values,
  }
}

export const notANumber = (): WinnowError =>
  new WinnowError('BAD_DATA', 'the score of a document is not a number', {
    hint: 'Weights or theta have overflowed; look for extreme rewards or initial weights.',
  })
