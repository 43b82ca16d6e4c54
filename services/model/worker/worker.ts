/** The thread that ONNX sessions run in: a run blocks the thread it is called on, so it is never the main one. */
import { parentPort, workerData } from 'node:worker_threads'
import { WinnowError } from '../../runtime/errors.ts'
import { readDescription } from '../description.ts'
import { Gradients } from './gradients.ts'
import type { Answer, Argument, OperationName, Request, Response, WorkerOptions } from './operations.ts'
import { Probes } from './probes.ts'
import { Sessions, type State, tensorsOf } from './sessions.ts'
import { Training } from './training.ts'

const options = workerData as WorkerOptions
const port = parentPort!
const sessions = new Sessions(await readDescription(options.folder), options)
const training = new Training(sessions)
const gradients = new Gradients(sessions)
const probes = new Probes(sessions)

/** `state` is that of the argument's checkpoint, where it has one. */
const operations: { [N in OperationName]: (argument: Argument<N>, state: State) => Answer<N> | Promise<Answer<N>> } = {
  initialize: (argument) => training.initialize(argument),
  step: (argument) => training.step(argument),
  save: (argument) => training.save(argument),
  load: (argument) => training.load(argument),
  evaluate: (argument) => training.evaluate(argument),
  gradients: (argument, state) => gradients.gradients(argument, state),
  direction: (argument, state) => gradients.direction(argument, state),
  probe: (argument, state) => probes.probe(argument, state),
}

async function answer(request: Request): Promise<void> {
  if ('close' in request) {
    await sessions.release()
    port.close()
    return
  }
  const { id, operation, argument, weights = [], secondMoments } = request
  const compute = operations[operation] as (argument: unknown, state: State) => unknown | Promise<unknown>
  const state: State = {
    weights: tensorsOf(weights),
    ...(secondMoments !== undefined && { secondMoments: tensorsOf(secondMoments) }),
  }
  const response = await compute(argument, state)
  port.postMessage({ id, answer: response } satisfies Response)
}

function fail(request: Request, error: unknown): void {
  if ('close' in request) throw error
  const { message, stack } = error instanceof Error ? error : new Error(String(error))
  const [code, hint] = error instanceof WinnowError ? [error.code, error.hint] : ['UNEXPECTED', undefined]
  port.postMessage({ id: request.id, failure: { code, message, hint, stack } } satisfies Response)
}

// One at a time, in the order of arrival: a save sees the state between two steps.
let last: Promise<void> = Promise.resolve()
port.on('message', (request: Request) => {
  last = last.then(() => answer(request)).catch((error: unknown) => fail(request, error))
})
