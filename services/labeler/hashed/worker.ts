import { workerData } from 'node:worker_threads'
import { answerRequests } from '../../runtime/thread-server.ts'
import { labelOfLogits, labelOfScore } from '../mapping.ts'
import type { LabelResult } from '../types.ts'
import { HashedScorer, type ModelFile, type Weights } from './model.ts'

export interface HashedWorkerData {
  file: ModelFile
  weights: Weights
  /** Index in the actor's list of each class of the model; empty for a regression. */
  subcategories: number[]
  /** How many subcategories the actor has. */
  count: number
}

/** Starts of texts, the lengths of the whole texts, and the classes in their metadata; or texts whose raw outputs are wanted. */
export type HashedRequest = { texts: string[]; lengths: number[]; given: number[][] } | { outputsOf: string[] }
export type HashedAnswer = { labels: LabelResult[] } | { outputs: number[][] }

const { file, weights, subcategories, count } = workerData as HashedWorkerData

await answerRequests<HashedRequest, HashedAnswer>(() => {
  const scorer = new HashedScorer(file, weights)
  return {
    answer: (request) => {
      if ('outputsOf' in request) return { outputs: request.outputsOf.map((text) => Array.from(scorer.score(text))) }
      const { texts, lengths, given } = request
      const labels = texts.map((text, i) => {
        const outputs = scorer.score(text, lengths[i]!, given[i]!)
        return file.kind === 'regression' ? labelOfScore(outputs[0]!, count) : labelOfLogits(outputs, subcategories)
      })
      return { labels }
    },
  }
})
