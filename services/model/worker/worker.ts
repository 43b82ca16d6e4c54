/** The thread that ONNX sessions run in: a run blocks the thread it is called on, so it is never the main one. */
import { workerData } from 'node:worker_threads'
import { Exclusive } from '../../runtime/exclusive.ts'
import { answerRequests } from '../../runtime/thread-server.ts'
import { readDescription } from '../description.ts'
import { DomainGradients } from './domain-gradients.ts'
import { Gradients } from './gradients.ts'
import type { Answer, Argument, OperationName, Request, WorkerOptions } from './operations.ts'
import { Probes } from './probes.ts'
import { Sessions, type State, tensorsOf } from './sessions.ts'
import { Training } from './training.ts'

const options = workerData as WorkerOptions

await answerRequests<Request, unknown>(async () => {
  const sessions = new Sessions(await readDescription(options.folder), options)
  const training = new Training(sessions)
  const domains = new DomainGradients(sessions, training)
  const gradients = new Gradients(sessions)
  const probes = new Probes(sessions)
  /** `state` is that of the argument's checkpoint, where it has one. */
  const operations: { [N in OperationName]: (argument: Argument<N>, state: State) => Answer<N> | Promise<Answer<N>> } =
    {
      initialize: (argument) => training.initialize(argument),
      step: (argument) => training.step(argument),
      likelihoods: (argument) => training.likelihoods(argument),
      domainGradients: (argument) => domains.compute(argument),
      stepAlong: (argument) => domains.stepAlong(argument),
      save: (argument) => training.save(argument),
      load: (argument) => training.load(argument),
      evaluate: (argument) => training.evaluate(argument),
      gradients: (argument, state) => gradients.gradients(argument, state),
      direction: (argument, state) => gradients.direction(argument, state),
      probe: (argument, state) => probes.probe(argument, state),
    }
  // One at a time, in the order of arrival: a save sees the state between two steps.
  const exclusive = new Exclusive()
  return {
    answer: ({ operation, argument, weights = [], secondMoments }) =>
      exclusive.run(async () => {
        const compute = operations[operation] as (argument: unknown, state: State) => unknown | Promise<unknown>
        return await compute(argument, {
          weights: tensorsOf(weights),
          ...(secondMoments !== undefined && { secondMoments: tensorsOf(secondMoments) }),
        })
      }),
    close: () => sessions.release(),
  }
})
