import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { workerData } from 'node:worker_threads'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { WinnowError } from '../../runtime/errors.ts'
import { Exclusive } from '../../runtime/exclusive.ts'
import { answerRequests } from '../../runtime/thread-server.ts'
import { batchByArrival, bucketByLength, type Combination, combineWindows } from './batches.ts'
import { type EncoderFolder, readTokenizer } from './folder.ts'

export interface OnnxWorkerData {
  encoder: EncoderFolder
  size: number
  overlap: number
  combine: Combination
  limit: number
  batchTokens: number
  bucket: 'length' | 'arrival'
  device: 'cpu' | 'cuda'
  threads: number
}

/** Well-formed starts of texts; or texts whose first windows are wanted, each run alone. */
export type OnnxRequest = { texts: string[] } | { outputsOf: string[] }
/** Of each text its logits, those of its windows combined, and how many tokens the model read. */
export interface OnnxAnswer {
  outputs: number[][]
  read: number[]
}

const data = workerData as OnnxWorkerData
const outputTokensMax = 512
const modelPath = join(data.encoder.folder, data.encoder.file)
const batchesOf = data.bucket === 'length' ? bucketByLength : batchByArrival
const tokenizer = readTokenizer(join(data.encoder.folder, 'tokenizer.json'))
tokenizer.setTruncation(data.size, { stride: data.overlap })

/** Token ids of a document's windows, special tokens included, at most `limit`. */
async function windowsOf(texts: string[]): Promise<number[][][]> {
  const encodings = await tokenizer.encodeBatch(texts)
  return encodings.map((encoding) => {
    const further = data.limit > 1 ? encoding.getOverflowing().slice(0, data.limit - 1) : []
    return [encoding, ...further].map((window) => {
      const ids = window.getIds()
      // Without special tokens an empty text has no tokens at all, and a model cannot run on none.
      return ids.length > 0 ? ids : [data.encoder.padId]
    })
  })
}

function feedsOf(session: InferenceSession, rows: number[][]): Record<string, Tensor> {
  const longest = rows.reduce((most, row) => Math.max(most, row.length), 0)
  const ids = new BigInt64Array(rows.length * longest).fill(BigInt(data.encoder.padId))
  const mask = new BigInt64Array(ids.length)
  for (const [r, row] of rows.entries()) {
    for (const [i, id] of row.entries()) {
      ids[r * longest + i] = BigInt(id)
      mask[r * longest + i] = 1n
    }
  }
  const known: Record<string, BigInt64Array> = {
    input_ids: ids,
    attention_mask: mask,
    token_type_ids: new BigInt64Array(ids.length),
    position_ids: BigInt64Array.from({ length: ids.length }, (_, i) => BigInt(i % longest)),
  }
  return Object.fromEntries(
    session.inputNames.map((name) => [name, new Tensor('int64', known[name]!, [rows.length, longest])]),
  )
}

/** Logits of each sequence. */
async function run(session: InferenceSession, sequences: number[][]): Promise<Float32Array[]> {
  const logits = new Array<Float32Array>(sequences.length)
  const width = data.encoder.labels.length
  const lengths = sequences.map((sequence) => sequence.length)
  for (const batch of batchesOf(lengths, data.batchTokens)) {
    // `run` blocks this thread: between batches it takes the next request, whose tokenization then overlaps with inference.
    await nextTurn()
    const outputs = await session.run(
      feedsOf(
        session,
        batch.map((i) => sequences[i]!),
      ),
    )
    const output = outputs[session.outputNames.includes('logits') ? 'logits' : session.outputNames[0]!]!
    if (output.type !== 'float32' || output.size !== batch.length * width) {
      throw new Error(
        `output has type ${output.type} and shape [${output.dims.join(', ')}], but config.json's id2label has ${width} labels: expected float32 [${batch.length}, ${width}]`,
      )
    }
    for (const [row, i] of batch.entries())
      logits[i] = (output.data as Float32Array).subarray(row * width, (row + 1) * width)
  }
  return logits
}

async function score(session: InferenceSession, tokenized: Promise<number[][][]>): Promise<OnnxAnswer> {
  const windows = await tokenized
  const logits = await run(session, windows.flat())
  let next = 0
  const outputs = windows.map((own) => {
    const tokens = own.map(({ length }) => length)
    const combined = combineWindows(logits.slice(next, next + own.length), data.combine, tokens)
    next += own.length
    return combined
  })
  return { outputs, read: windows.map((own) => own.reduce((sum, { length }) => sum + length, 0)) }
}

/** Logits of each text's first window, one at a time, whatever windows and batches are configured: an int8 graph may scale by its batch. */
async function outputsOf(session: InferenceSession, texts: readonly string[]): Promise<OnnxAnswer> {
  const whole = readTokenizer(join(data.encoder.folder, 'tokenizer.json'))
  whole.setTruncation(Math.min(outputTokensMax, data.encoder.positions))
  const outputs: number[][] = []
  const read: number[] = []
  for (const text of texts) {
    const ids = (await whole.encode(text)).getIds()
    const [logits] = await run(session, [ids.length > 0 ? ids : [data.encoder.padId]])
    outputs.push(Array.from(logits!))
    read.push(ids.length)
  }
  return { outputs, read }
}

async function start(): Promise<InferenceSession> {
  const session = await InferenceSession.create(modelPath, {
    executionProviders: [data.device],
    intraOpNumThreads: data.threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    // Threads that spin while waiting take cores away from other services.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  })
  const known = ['input_ids', 'attention_mask', 'token_type_ids', 'position_ids']
  const unknown = session.inputNames.filter((name) => !known.includes(name))
  if (unknown.length > 0)
    throw new Error(
      `wants the inputs ${unknown.join(', ')}; an encoder has input_ids, attention_mask and perhaps token_type_ids or position_ids`,
    )
  await score(session, windowsOf(['probe']))
  return session
}

const unusable = (error: unknown) =>
  new WinnowError('MODEL_UNUSABLE', `${modelPath}: ${(error as Error).message}`, {
    hint:
      data.device === 'cuda'
        ? 'CUDA needs an NVIDIA device and the CUDA libraries of onnxruntime-node (docs/labelers.md); device: cpu runs anywhere.'
        : 'Export model.onnx, tokenizer.json and config.json again, from one checkpoint.',
    cause: error,
  })

await answerRequests<OnnxRequest, OnnxAnswer>(async () => {
  const session = await start().catch((error: unknown) => {
    throw unusable(error)
  })
  // One inference at a time: two would share the same threads and need twice the memory.
  const exclusive = new Exclusive()
  return {
    answer: (request) => {
      if ('outputsOf' in request) return exclusive.run(() => outputsOf(session, request.outputsOf))
      const tokenized = windowsOf(request.texts)
      // Its failure belongs to the request, whose turn may come later.
      tokenized.catch(() => {})
      return exclusive.run(() => score(session, tokenized))
    },
    close: () => session.release(),
  }
})
