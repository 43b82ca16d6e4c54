// A thread that doubles numbers, in order; what it is told at its start decides how it misbehaves.
import { setTimeout as sleep } from 'node:timers/promises'
import { workerData } from 'node:worker_threads'
import { WinnowError } from '../../../services/runtime/errors.ts'
import { answerRequests } from '../../../services/runtime/thread-server.ts'

await answerRequests<number, number>(async () => {
  if (workerData === 'unusable') throw new WinnowError('MODEL_UNUSABLE', 'it is broken', { hint: 'Fix it.' })
  return {
    answer: async (number) => {
      if (number === 13) throw new WinnowError('BAD_DATA', 'unlucky', { hint: 'Take another.' })
      if (number < 0) process.exit(3)
      await sleep(number)
      return number * 2
    },
  }
})
