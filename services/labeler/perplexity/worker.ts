import { join } from 'node:path'
import { workerData } from 'node:worker_threads'
import { InferenceSession } from 'onnxruntime-node'
import { type Sequence, streamWindows, targetsOf } from '../../model/sequences.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { Exclusive } from '../../runtime/exclusive.ts'
import { answerRequests } from '../../runtime/thread-server.ts'
import { bucketByLength } from '../onnx/batches.ts'
import { readTokenizer } from '../onnx/folder.ts'
import type { CausalReading, ExportedModel, Likelihood } from './causal.ts'
import { feedsOf, strangers } from './feeds.ts'
import { nllOf } from './nll.ts'

export interface CausalWorkerData {
  readonly model: ExportedModel
  readonly batchTokens: number
  readonly device: 'cpu' | 'cuda'
  readonly threads: number
}
/** Well-formed starts of texts, and how to read them. */
export interface CausalRequest {
  readonly texts: string[]
  readonly reading: CausalReading
}
export type CausalAnswer = Likelihood[]

const { model, batchTokens, device, threads } = workerData as CausalWorkerData
const modelPath = join(model.folder, model.file)
const tokenizer = readTokenizer(join(model.folder, 'tokenizer.json'))

async function windowsOf({ texts, reading }: CausalRequest): Promise<Sequence[][]> {
  const encodings = await tokenizer.encodeBatch(texts)
  const { size, limit, overlap } = reading
  return encodings.map((encoding) => streamWindows(Int32Array.from(encoding.getIds()), size - 1, limit, overlap))
}

/** The negative log-likelihood of each window's targets. A window without any is not run. */
async function run(session: InferenceSession, windows: Sequence[]): Promise<number[]> {
  const nll = windows.map(() => 0)
  const used = [...windows.keys()].filter((w) => targetsOf(windows[w]!) > 0)
  const lengths = used.map((w) => windows[w]!.ids.length)
  for (const batch of bucketByLength(lengths, batchTokens)) {
    const rows = batch.map((i) => windows[used[i]!]!)
    const outputs = await session.run(feedsOf(session, rows))
    const logits = outputs.logits ?? outputs[session.outputNames[0]!]!
    const length = rows.reduce((most, { ids }) => Math.max(most, ids.length), 0)
    if (logits.type !== 'float32' || logits.size !== rows.length * length * model.vocabulary) {
      throw new Error(
        `output has type ${logits.type} and shape [${logits.dims.join(', ')}]: expected the logits of a causal model, float32 [${rows.length}, ${length}, ${model.vocabulary}]`,
      )
    }
    const values = logits.data as Float32Array
    const ofRow = length * model.vocabulary
    for (const [row, i] of batch.entries())
      nll[used[i]!] = nllOf(values.subarray(row * ofRow, (row + 1) * ofRow), model.vocabulary, rows[row]!)
  }
  return nll
}

async function likelihoods(session: InferenceSession, tokenized: Promise<Sequence[][]>): Promise<Likelihood[]> {
  const windows = await tokenized
  const nll = await run(session, windows.flat())
  let next = 0
  return windows.map((own) => {
    const sum = nll.slice(next, next + own.length).reduce((total, one) => total + one, 0)
    next += own.length
    return {
      nll: sum,
      targets: own.reduce((total, window) => total + targetsOf(window), 0),
      read: own.reduce((total, { ids }) => total + ids.length, 0),
    }
  })
}

async function start(): Promise<InferenceSession> {
  const session = await InferenceSession.create(modelPath, {
    executionProviders: [device],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    // Threads that spin while waiting take cores away from other services.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  })
  const unknown = strangers(session)
  if (unknown.length > 0)
    throw new Error(
      `wants the inputs ${unknown.join(', ')}; a causal model has input_ids, and perhaps attention_mask, position_ids and a cache`,
    )
  await likelihoods(
    session,
    windowsOf({ texts: ['a probe of two tokens at least'], reading: { size: 2, overlap: 0, limit: 1 } }),
  )
  return session
}

await answerRequests<CausalRequest, CausalAnswer>(async () => {
  const session = await start().catch((cause: unknown) => {
    throw new WinnowError('MODEL_UNUSABLE', `${modelPath}: ${(cause as Error).message}`, {
      hint: 'Export it with optimum-cli export onnx --task text-generation: model.onnx, tokenizer.json and config.json, from one checkpoint.',
      cause,
    })
  })
  // One inference at a time: two would share the same threads and need twice the memory.
  const exclusive = new Exclusive()
  return {
    answer: (request) => {
      const tokenized = windowsOf(request)
      // Its failure belongs to the request, whose turn may come later.
      tokenized.catch(() => {})
      return exclusive.run(() => likelihoods(session, tokenized))
    },
    close: () => session.release(),
  }
})
