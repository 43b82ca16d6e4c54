import type { Evaluation, Manifest } from '../../../schemas/index.ts'
import type { SelectionPorts } from '../../selections/chunks.ts'
import { membersOf, selectedOf } from '../compare/selected.ts'

export interface RoundComparison {
  readonly round: number
  /** Every weight, theta, total, digest and id is the same to the bit. */
  readonly same: boolean
  /** The first difference, in words. */
  readonly firstDifference: string | undefined
  readonly documents: readonly [number, number]
  /** Documents that both selected. */
  readonly common: number
  /** What both drew from the natural mixture, as the opening recorded it; left out: nothing. */
  readonly naturalShare?: number
}

/** Bitwise: unlike ===, distinguishes 0 from -0, and NaN equals itself. */
const equal = (a: unknown, b: unknown): boolean => {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((value, i) => equal(value, b[i]))
  return Object.is(a, b)
}

const compared = [
  'weights',
  'theta',
  'actorRewards',
  'threshold',
  'documents',
  'tokens',
  'histogramDigest',
  'selectionDigest',
] as const

/** Compares a round of two runs: the manifests, and then every selected id in emission order. */
export async function compareRounds(
  a: Manifest,
  b: Manifest,
  portsA: SelectionPorts,
  portsB: SelectionPorts,
): Promise<RoundComparison> {
  const [idsA, idsB] = await Promise.all([selectedOf(portsA, a), selectedOf(portsB, b)])
  return compareSelections(a, b, idsA, idsB)
}

/** The same of selections that have been read. */
export function compareSelections(
  a: Manifest,
  b: Manifest,
  idsA: BigUint64Array,
  idsB: BigUint64Array,
): RoundComparison {
  const field = compared.find((name) => !equal(a[name], b[name]))
  const index = idsA.findIndex((id, i) => id !== idsB[i])
  let firstDifference: string | undefined
  if (field !== undefined) firstDifference = `${field}: ${inWords(a, b, field)}`
  else if (index !== -1) firstDifference = `index ${index}: document ${idsA[index]} and ${idsB[index] ?? 'none'}`
  return {
    round: a.round,
    same: firstDifference === undefined,
    firstDifference,
    documents: [a.documents, b.documents],
    common: field === undefined && index === -1 ? idsA.length : commonOf(idsA, idsB),
  }
}

/** The comparison, with the evaluations of both runs where both have one. */
export function withEvaluations(
  comparison: RoundComparison,
  a: Evaluation | undefined,
  b: Evaluation | undefined,
): RoundComparison {
  if (!comparison.same || a === undefined || b === undefined) return comparison
  const numbers = ({ on, answers, estimates }: Evaluation) => [on, answers, ...estimates.flatMap(Object.values)]
  if (equal(numbers(a), numbers(b))) return comparison
  const policy = a.estimates.find((one, i) => !equal(Object.values(one), Object.values(b.estimates[i] ?? {})))?.policy
  return { ...comparison, same: false, firstDifference: `evaluation: estimates of ${policy ?? 'other rewards'}` }
}

function inWords(a: Manifest, b: Manifest, field: (typeof compared)[number]): string {
  if (field === 'weights') {
    for (const [i, actor] of a.actors.entries()) {
      const j = a.weights[i]!.findIndex((weight, at) => !Object.is(weight, b.weights[i]?.[at]))
      if (j !== -1) return `actor ${actor}, subcategory ${j}: ${a.weights[i]![j]} and ${b.weights[i]?.[j]}`
    }
  }
  return `${JSON.stringify(a[field])} and ${JSON.stringify(b[field])}`
}

function commonOf(a: BigUint64Array, b: BigUint64Array): number {
  let common = 0
  for (const { inA, inB } of membersOf(a, b)) if (inA && inB) common++
  return common
}
