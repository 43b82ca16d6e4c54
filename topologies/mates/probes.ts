import { createHash } from 'node:crypto'
import type { DocumentId } from '../../schemas/index.ts'
import type { EvaluationSample } from '../evaluation/sample.ts'

/** A rewarded document that an influence model learns from. */
export interface Probe {
  readonly docId: DocumentId
  /** Of what the corpus holds, up to a factor: how many documents it stands for. */
  readonly weight: number
  /**
   * The reference loss after a step on it, standardized over the corpus as of its round: what MATES predicts. As a reward is the loss before minus the
   * loss after, this is the standardized reward with the other sign: lower is better.
   */
  readonly loss: number
}

/** Below this share of its size a deviation is rounding. */
const deviationMin = 1e-12

/**
 * The probes of one round, ascending by document. A document that several actors drew is one probe; its weights add up.
 * @returns null if the rewards do not vary
 */
export function probesOf({ docIds, rewards, weights }: ProbedSample): Probe[] | null {
  const byDocument = new Map<DocumentId, { weight: number; reward: number }>()
  for (const [i, docId] of docIds.entries()) {
    const before = byDocument.get(docId) ?? { weight: 0, reward: 0 }
    const weight = before.weight + weights[i]!
    byDocument.set(docId, { weight, reward: before.reward + (weights[i]! * (rewards[i]! - before.reward)) / weight })
  }
  const probes = [...byDocument].sort(([a], [b]) => (a < b ? -1 : 1))
  const sum = (of: (one: { weight: number; reward: number }) => number) =>
    probes.reduce((total, [, one]) => total + of(one), 0)
  const weight = sum((one) => one.weight)
  const mean = sum((one) => one.weight * one.reward) / weight
  const deviation = Math.sqrt(sum((one) => one.weight * (one.reward - mean) ** 2) / weight)
  const largest = probes.reduce((most, [, { reward }]) => Math.max(most, Math.abs(reward)), 0)
  if (!(deviation > deviationMin * largest)) return null
  return probes.map(([docId, one]) => ({
    docId,
    weight: (one.weight * probes.length) / weight,
    loss: -(one.reward - mean) / deviation,
  }))
}

type ProbedSample = Pick<EvaluationSample, 'docIds' | 'rewards' | 'weights'>

/**
 * The probes of several rounds as one set: a document of several has the mean of its losses. Each round has as much weight as it has probes.
 * @returns ascending by document
 */
export function joinProbes(rounds: readonly (readonly Probe[])[]): Probe[] {
  const joined = new Map<DocumentId, Probe>()
  for (const { docId, weight, loss } of rounds.flat()) {
    const before = joined.get(docId)
    const both = (before?.weight ?? 0) + weight
    const mean = before === undefined ? loss : before.loss + (weight * (loss - before.loss)) / both
    joined.set(docId, { docId, weight: both, loss: mean })
  }
  return [...joined.values()].sort((a, b) => (a.docId < b.docId ? -1 : 1))
}

/** What a fit is made from, besides the texts, which ids identify. */
export interface FitInputs {
  readonly run: string
  readonly rounds: readonly { readonly round: number; readonly checkpoint: string }[]
  readonly probes: readonly Probe[]
  /** JSON. */
  readonly settings: string
}

/** SHA-256 of what a fit is made from. Numbers are written as they are read back, so that equal digests are equal bits. */
export function inputsDigest({ run, rounds, probes, settings }: FitInputs): string {
  const written = probes.map(({ docId, weight, loss }) => [`${docId}`, weight, loss])
  return createHash('sha256')
    .update(JSON.stringify({ run, rounds, probes: written, settings }))
    .digest('hex')
}
