import { parentPort, workerData } from 'node:worker_threads'
import { labelOfLogits, labelOfScore } from '../mapping.ts'
import type { WorkerAnswer } from '../pool.ts'
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
const scorer = new HashedScorer(file, weights)
const port = parentPort!
port.on('message', ({ id, request }: { id: number; request: HashedRequest }) => {
  const response = request.texts.map((text, i): LabelResult => {
    const outputs = scorer.score(text, request.lengths[i]!, request.given[i]!)
    return file.kind === 'regression' ? labelOfScore(outputs[0]!, count) : labelOfLogits(outputs, subcategories)
  })
  port.postMessage({ id, response } satisfies WorkerAnswer<LabelResult[]>)
})
port.postMessage('ready')
