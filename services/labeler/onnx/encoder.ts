import { createHash } from 'node:crypto'
import { basename, isAbsolute, join } from 'node:path'
import { LRUCache } from 'lru-cache'
import { forward, type ModelCost } from '../../../topologies/ledger/pieces.ts'
import { type ModelHere, modelHere } from '../golden/model.ts'
import { LabelingThreads } from '../threads.ts'
import type { OnnxConfig } from './config.ts'
import { checkTokenizer, describeFolder, type EncoderFolder } from './folder.ts'
import { countParameters } from './parameters.ts'
import type { OnnxAnswer, OnnxRequest, OnnxWorkerData } from './worker.ts'

/** Far above float32 rounding over a few dozen layers, far below what saturated products of an int8 graph do to a logit. */
const goldenTolerance = 0.01
/** Upper bound of a token's average length: of longer texts only this many characters per token to be read are tokenized. */
const charactersPerToken = 16
/** Documents per request to a thread: enough for bucketing by length, few enough that the next are tokenized meanwhile. */
const textsPerRequest = 128
/** Documents whose outputs are kept for the other actors of a shared model: far more than their stations are apart, and a few megabytes. */
const documentsKept = 32_768

/** How an encoder reads texts. */
export interface Reading {
  readonly size: number
  readonly limit: number
}

/** An encoder in its threads, used by one actor or by several. */
export interface Encoder {
  readonly model: ModelHere
  /** Logits of each text. While several actors use the encoder, a text that another of them has asked for is not run again. */
  outputsOf(texts: readonly string[]): Promise<number[][]>
  /** As outputsOf, with how many tokens the model read of each text for this call: 0 of one that another actor has asked for. */
  outputsRead(texts: readonly string[]): Promise<OnnxAnswer>
  /** For the ledger. */
  readonly cost: ModelCost
  /** Documents run so far. */
  readonly documents: number
  /** Ends this use; the last one waits for pending work and ends the threads. */
  close(): Promise<void>
}

/** The encoders of a process: actors whose labelers read texts by the same model in the same way share one. */
export class Encoders {
  readonly #open = new Map<string, { users: number; readonly started: Promise<SharedEncoder> }>()

  /** @throws WinnowError MODEL_UNUSABLE */
  async open(encoder: EncoderFolder, reading: Reading, config: OnnxConfig): Promise<Encoder> {
    const { head, ranges, mapping, ...same } = config
    const key = JSON.stringify([encoder.folder, encoder.digest, reading, same])
    const entry = this.#open.get(key) ?? { users: 0, started: SharedEncoder.start(encoder, reading, config) }
    this.#open.set(key, entry)
    entry.users++
    const leave = async () => {
      entry.users--
      if (entry.users > 0) return
      this.#open.delete(key)
      await (await entry.started).close()
    }
    const shared = await entry.started.catch((error: unknown) => {
      this.#open.delete(key)
      throw error
    })
    let left: Promise<void> | undefined
    return {
      model: shared.model,
      cost: shared.cost,
      outputsOf: async (texts) => (await shared.outputsRead(texts, entry.users > 1)).outputs,
      outputsRead: (texts) => shared.outputsRead(texts, entry.users > 1),
      get documents() {
        return shared.documents
      },
      close: () => {
        left ??= leave()
        return left
      },
    }
  }
}

class SharedEncoder {
  readonly model: ModelHere
  readonly cost: ModelCost
  documents = 0
  readonly #pool: LabelingThreads<OnnxRequest, OnnxAnswer>
  readonly #characters: number
  /** By digest of the text: what was asked for, answered or not. */
  readonly #recent = new LRUCache<string, Promise<number[]>>({ max: documentsKept })

  private constructor(
    pool: LabelingThreads<OnnxRequest, OnnxAnswer>,
    model: ModelHere,
    cost: ModelCost,
    characters: number,
  ) {
    this.#pool = pool
    this.model = model
    this.cost = cost
    this.#characters = characters
  }

  static async start(encoder: EncoderFolder, reading: Reading, config: OnnxConfig): Promise<SharedEncoder> {
    checkTokenizer(encoder)
    const { batchTokens, bucket, device, threads } = config
    const { overlap, combine } = config.windows
    const data: OnnxWorkerData = { encoder, ...reading, overlap, combine, batchTokens, bucket, device, threads }
    const pool = await LabelingThreads.start<OnnxRequest, OnnxAnswer>(
      new URL('./worker.ts', import.meta.url),
      data,
      config.sessions,
    )
    const model = await modelHere({
      file: join(encoder.folder, `${basename(encoder.file, '.onnx')}.golden.json`),
      digest: encoder.digest,
      provider: device,
      tolerance: goldenTolerance,
      policy: config.golden,
      outputsOf: async (texts) => (await pool.ask({ outputsOf: texts })).outputs,
    }).catch(async (error: unknown) => {
      await pool.close()
      throw error
    })
    const parameters = countParameters(join(encoder.folder, encoder.file))
    const cost = { model: basename(encoder.folder), device, ...parameters, factor: forward }
    return new SharedEncoder(pool, model, cost, reading.size * reading.limit * charactersPerToken)
  }

  async outputsRead(texts: readonly string[], shared: boolean): Promise<OnnxAnswer> {
    const starts = texts.map((text) => text.slice(0, this.#characters).toWellFormed())
    if (shared) return await this.#fromRecent(starts)
    const answers = await Promise.all(this.#ask(starts))
    return { outputs: answers.flatMap(({ outputs }) => outputs), read: answers.flatMap(({ read }) => read) }
  }

  close(): Promise<void> {
    return this.#pool.close()
  }

  #ask(texts: string[]): Promise<OnnxAnswer>[] {
    this.documents += texts.length
    const answers: Promise<OnnxAnswer>[] = []
    for (let from = 0; from < texts.length; from += textsPerRequest)
      answers.push(this.#pool.ask({ texts: texts.slice(from, from + textsPerRequest) }))
    return answers
  }

  async #fromRecent(texts: string[]): Promise<OnnxAnswer> {
    const keys = texts.map((text) => createHash('sha256').update(text).digest('base64'))
    const found = keys.map((key) => this.#recent.get(key))
    const missing = new Map(keys.flatMap((key, i) => (found[i] === undefined ? [[key, texts[i]!]] : [])))
    const answers = this.#ask([...missing.values()])
    const asked = new Map<string, Promise<number[]>>()
    for (const [i, key] of [...missing.keys()].entries()) {
      const output = answers[Math.floor(i / textsPerRequest)]!.then(({ outputs }) => outputs[i % textsPerRequest]!)
      // A failure belongs to those who await it here.
      output.catch(() => this.#recent.delete(key))
      this.#recent.set(key, output)
      asked.set(key, output)
    }
    const outputs = await Promise.all(keys.map((key, i) => found[i] ?? asked.get(key)!))
    const readOf = new Map(
      [...missing.keys()].map((key, i) => [key, { of: Math.floor(i / textsPerRequest), at: i % textsPerRequest }]),
    )
    const answered = await Promise.all(answers)
    const firsts = new Map(keys.toReversed().map((key, i) => [key, keys.length - 1 - i]))
    const read = keys.map((key, i) => {
      const place = firsts.get(key) === i ? readOf.get(key) : undefined
      return place === undefined ? 0 : answered[place.of]!.read[place.at]!
    })
    return { outputs, read }
  }
}

/** The folder of an encoder, described. @throws WinnowError MODEL_UNUSABLE */
export const encoderOf = ({ model, file }: OnnxConfig, baseFolder: string): Promise<EncoderFolder> =>
  describeFolder(isAbsolute(model) ? model : join(baseFolder, model), file)
