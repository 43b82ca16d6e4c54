import { parentPort } from 'node:worker_threads'
import { type FromThread, partsOf, type ToThread } from './thread-protocol.ts'

export interface Answering<Request, Answer> {
  /** Called in the order of the requests; replies may come in another. */
  answer(request: Request): Answer | Promise<Answer>
  /** Called when all is answered and nothing more will come; the thread ends after it. */
  close?(): Promise<void>
}

/**
 * A worker thread's end of `Thread`: answers requests. Call it once, in the script's first turn. @param start prepares the thread; if it
 * fails, nothing is ever answered
 */
export async function answerRequests<Request, Answer>(
  start: () => Answering<Request, Answer> | Promise<Answering<Request, Answer>>,
): Promise<void> {
  const port = parentPort!
  const post = (message: FromThread<Answer>) => port.postMessage(message)
  const starting = Promise.resolve().then(start)
  const underWay = new Set<Promise<void>>()
  const respond = async (id: number, request: Request) => {
    try {
      post({ id, answer: await (await starting).answer(request) })
    } catch (error) {
      post({ id, failure: partsOf(error) })
    }
  }
  port.on('message', async (message: ToThread<Request>) => {
    if ('close' in message) {
      await Promise.all(underWay)
      await (await starting).close?.()
      port.close()
      return
    }
    const response = respond(message.id, message.request)
    underWay.add(response)
    await response
    underWay.delete(response)
  })
  try {
    await starting
    post({ ready: true })
  } catch (error) {
    post({ unusable: partsOf(error) })
    port.close()
  }
}
