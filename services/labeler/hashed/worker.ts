import { workerData } from 'node:worker_threads'
import { answerRequests } from '../../runtime/thread-server.ts'
import { HashedScorer, type ModelFile, type Weights } from './model.ts'

export interface HashedWorkerData {
  file: ModelFile
  weights: Weights
}

/** Starts of texts, the lengths of the whole texts, and the classes in their metadata. */
export interface HashedRequest {
  texts: string[]
  lengths?: number[]
  given?: number[][]
}
/** The raw outputs of each text. */
export type HashedAnswer = number[][]

const { file, weights } = workerData as HashedWorkerData

await answerRequests<HashedRequest, HashedAnswer>(() => {
  const scorer = new HashedScorer(file, weights)
  return {
    answer: ({ texts, lengths, given }) =>
      texts.map((text, i) => Array.from(scorer.score(text, lengths?.[i], given?.[i]))),
  }
})
