import { workerData } from 'node:worker_threads'
import { answerRequests } from '../../runtime/thread-server.ts'
import { bucketCount, NgramCounter } from './ngrams.ts'

/** The log ratio of each bucket. */
export type DsirWorkerData = Float64Array
export type DsirRequest = string[]
/** The log importance weight of each text. */
export type DsirAnswer = number[]

const ratios = workerData as DsirWorkerData

await answerRequests<DsirRequest, DsirAnswer>(() => {
  const counter = new NgramCounter()
  const counts = new Float64Array(bucketCount)
  const weightOf = (text: string): number => {
    counts.fill(0)
    counter.add(text, counts)
    let sum = 0
    for (let bucket = 0; bucket < bucketCount; bucket++) sum += counts[bucket]! * ratios[bucket]!
    return sum
  }
  return { answer: (texts) => texts.map(weightOf) }
})
