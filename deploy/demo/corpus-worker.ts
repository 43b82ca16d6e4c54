import { parentPort, workerData } from 'node:worker_threads'
import { buildDemoCorpus } from './corpus.ts'

/** Seconds of work on one core: in a thread of its own, while broker and registry start. */
parentPort!.postMessage(buildDemoCorpus(workerData as string))
