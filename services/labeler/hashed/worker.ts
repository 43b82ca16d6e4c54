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

/** Starts of texts, the lengths of the whole texts, and the classes that metadata name. */
export interface HashedRequest {
  texts: string[]
  lengths: number[]
  given: number[][]
}

const { file, weights, subcategories, count } = workerData as HashedWorkerData

await answerRequests<HashedRequest, LabelResult[]>(() => {
  const scorer = new HashedScorer(file, weights)
  return {
    answer: ({ texts, lengths, given }) =>
      texts.map((text, i) => {
        const outputs = scorer.score(text, lengths[i]!, given[i]!)
        return file.kind === 'regression' ? labelOfScore(outputs[0]!, count) : labelOfLogits(outputs, subcategories)
      }),
  }
})
