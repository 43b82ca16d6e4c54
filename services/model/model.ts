import { join } from 'node:path'
import { CheckpointStore } from './checkpoints/store.ts'
import { type ModelDescription, readDescription } from './description.ts'
import { graphsFolder } from './shipped.ts'
import { loadTokenizer, type TextTokenizer } from './tokenizer.ts'
import { ModelWorker } from './worker/client.ts'
import type { Device } from './worker/operations.ts'

export interface ModelOptions {
  /** Folder of the graphs, model.json and tokenizer.json, or `shipped:NAME`. */
  graphs: string
  /** Threads within an operator, for each worker thread. Results may differ in their last bits between numbers of threads. */
  threads?: number
  /** Memory for the checkpoints that rewards are computed at, shared by all threads; what is in use always fits. Default: 1 GiB. */
  checkpointBytesMax?: number
  /** Where the graphs run. Default: cpu. Another device rounds differently. */
  device?: Device
}

/** The machine resources that the configuration grants to rewards (winnow.yaml, `influence`), as options for opening a model. */
export const modelResources = (influence: {
  readonly checkpointMiBMax: number
  readonly device: Device
}): Pick<ModelOptions, 'checkpointBytesMax' | 'device'> => ({
  checkpointBytesMax: influence.checkpointMiBMax * 2 ** 20,
  device: influence.device,
})

/** A model's graphs and tokenizer; the weights come from trainers and checkpoints. */
export interface Model extends AsyncDisposable {
  readonly description: ModelDescription
  readonly tokenizer: TextTokenizer
  readonly checkpoints: CheckpointStore
  readonly device: Device
  /** Starts a thread for ONNX sessions, which ends with the model. */
  startWorker(): ModelWorker
  /** Lets running calls finish and ends all threads. */
  close(): Promise<void>
}

/** @throws WinnowError MODEL_UNUSABLE if a file is missing, damaged or does not fit the others. */
export async function openModel(options: ModelOptions): Promise<Model> {
  const { threads = 1, checkpointBytesMax = 2 ** 30, device = 'cpu' } = options
  const graphs = graphsFolder(options.graphs)
  const description = await readDescription(graphs)
  const tokenizer = loadTokenizer(join(graphs, 'tokenizer.json'), description.config.vocab_size, description.endOfText)
  const checkpoints = new CheckpointStore(description, checkpointBytesMax)
  const workers: ModelWorker[] = []
  const close = async () => {
    await Promise.all(workers.map((worker) => worker.close()))
  }
  return {
    description,
    tokenizer,
    checkpoints,
    device,
    startWorker() {
      const worker = new ModelWorker({ folder: graphs, threads, device }, checkpoints)
      workers.push(worker)
      return worker
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}
