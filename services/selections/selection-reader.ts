import { type DocumentId, Manifest, runTopics } from '../../schemas/index.ts'
import { type Codec, readable } from '../runtime/codec.ts'
import { ephemeralGroup, groupNamed } from '../runtime/consumer-groups.ts'
import { WinnowError } from '../runtime/errors.ts'
import type { Consumer, Kafka } from '../runtime/kafka/port.ts'
import { type SelectionPorts, selectionIds } from './chunks.ts'
import { checkRank, partOf, type Rank } from './ranks.ts'

interface Waiting {
  readonly round: number
  readonly resolve: (manifest: Manifest) => void
  readonly reject: (error: unknown) => void
}

/** A trainer's position: store it in the checkpoint, and training resumes at exactly that document. */
export interface Position {
  readonly run: string
  readonly round: number
  /** Global index into the round's selection; continues past its end, where a trainer starts again at the first document. */
  readonly index: number
}

export interface BatchOptions extends Rank {
  /** Documents in a global batch. */
  readonly documents: number
  /** Ends with the round's last document, in a possibly shorter batch; otherwise the first document follows. */
  readonly once?: boolean
}

/** A rank's part of a global batch. */
export interface RankBatch {
  readonly ids: readonly DocumentId[]
  /** Where the next global batch begins: the same for all ranks. */
  readonly next: Position
}

/**
 * The selected-index stream of a run: (round, global index) to document id, a pure function with random access by chunk offset. Ranks take
 * slices of the global order, so any number of them reads the same global batches.
 */
export class SelectionReader {
  readonly #ports: SelectionPorts
  readonly #run: string
  readonly #manifests = new Map<number, Manifest>()
  readonly #waiting = new Set<Waiting>()
  #consumer: Consumer | undefined
  /** Why no further manifest will come. */
  #failure: unknown

  private constructor(kafka: Kafka, codec: Codec, run: string) {
    this.#ports = { kafka, codec }
    this.#run = run
  }

  /** @param reader who reads: the beginning of the consumer group's name. Every reader has a group of its own, so ranks do not share. */
  static async open(options: { kafka: Kafka; codec: Codec; run: string; reader: string }): Promise<SelectionReader> {
    const reader = new SelectionReader(options.kafka, options.codec, options.run)
    reader.#consumer = await options.kafka.consume({
      groupId: ephemeralGroup(groupNamed(options.reader, options.run)),
      topics: [runTopics(options.run).consoleState.name],
      startOffset: () => 0,
      onBatch: async (records) => {
        for (const { value } of records) if (value !== null) await reader.#learn(value)
      },
      onFailure: (error) => reader.#fail(error),
    })
    return reader
  }

  async #learn(bytes: Buffer): Promise<void> {
    // Invalid record: the stations that read this topic send it to dead letters.
    const decoded = await readable(() => this.#ports.codec.decode(bytes))
    if (decoded?.record !== Manifest.name) return
    const manifest = decoded.value as Manifest
    this.#manifests.set(manifest.round, manifest)
    for (const waiting of this.#waiting) this.#answer(waiting)
  }

  #fail(error: unknown): void {
    this.#failure ??= error
    for (const waiting of this.#waiting) this.#answer(waiting)
  }

  /** Settles a waiting caller if its round is known, or never will be. */
  #answer({ round, resolve, reject }: Waiting): void {
    const manifest = this.#manifests.get(round)
    const roundLast = Math.max(-1, ...this.#manifests.keys())
    if (manifest !== undefined) resolve(manifest)
    else if (this.#failure !== undefined) reject(this.#failure)
    // Rounds are selected in order.
    else if (round < roundLast) {
      const position = { run: this.#run, round, index: 0 }
      reject(refused(position, `this round was never selected, round ${roundLast} was`))
    }
  }

  /** The newest round known to have selected documents; undefined: none has. */
  get newest(): number | undefined {
    const rounds = [...this.#manifests.values()].filter(({ documents }) => documents > 0)
    return rounds.length === 0 ? undefined : Math.max(...rounds.map(({ round }) => round))
  }

  /**
   * The manifest of a round, as soon as it is there. @throws WinnowError POSITION_REFUSED if the run went past this round without selecting;
   * INTERRUPTED by the signal or `close`
   */
  async manifest(round: number, signal?: AbortSignal): Promise<Manifest> {
    const { promise, resolve, reject } = Promise.withResolvers<Manifest>()
    const waiting = { round, resolve, reject }
    const stop = () => reject(interrupted(round))
    if (signal?.aborted === true) stop()
    signal?.addEventListener('abort', stop, { once: true })
    this.#waiting.add(waiting)
    this.#answer(waiting)
    try {
      return await promise
    } finally {
      this.#waiting.delete(waiting)
      signal?.removeEventListener('abort', stop)
    }
  }

  /**
   * Ids from a position on, without end: after the last document comes the first again. Waits for a round that is not selected yet. @throws
   * WinnowError POSITION_REFUSED if the position does not fit the stream
   */
  async *documents(position: Position, signal?: AbortSignal): AsyncGenerator<DocumentId> {
    yield* this.#again(await this.#admit(position, signal), position.index)
  }

  /**
   * Global batches from a position on, reduced to one rank's part. Where batches begin, and `next`, depend on the position alone: a trainer
   * can resume with another number of ranks and reads the same batches. Waits for a round that is not selected yet. @throws WinnowError
   * POSITION_REFUSED if the position does not fit the stream; USAGE for a rank that does not exist
   */
  async *batches(
    position: Position,
    { documents, once = false, ...rank }: BatchOptions,
    signal?: AbortSignal,
  ): AsyncGenerator<RankBatch> {
    checkRank(rank, documents)
    const manifest = await this.#admit(position, signal)
    let { index } = position
    if (once && index > manifest.documents) {
      throw refused(position, `the selection of this round ends at ${manifest.documents}`)
    }
    const stream = once ? this.#fromIndex(manifest, index) : this.#again(manifest, index)
    let ids: DocumentId[] = []
    let begin = index
    let size = documents
    for await (const id of stream) {
      if (index === begin && once) size = Math.min(documents, manifest.documents - begin)
      const { from, to } = partOf(rank, size)
      if (index >= begin + from && index < begin + to) ids.push(id)
      if (++index < begin + size) continue
      yield { ids, next: { ...position, index } }
      ids = []
      begin = index
    }
  }

  async #admit(position: Position, signal: AbortSignal | undefined): Promise<Manifest> {
    if (position.run !== this.#run) throw refused(position, `this is the stream of run ${this.#run}`)
    if (!Number.isSafeInteger(position.index) || position.index < 0)
      throw refused(position, 'the index is not a natural number')
    if (!Number.isSafeInteger(position.round) || position.round < 0)
      throw refused(position, 'the round is not a natural number')
    const manifest = await this.manifest(position.round, signal)
    if (manifest.documents === 0) throw refused(position, 'the selection of this round is empty')
    return manifest
  }

  /** The ids of a selection from `index` on, repeating. */
  async *#again(manifest: Manifest, index: number): AsyncGenerator<DocumentId> {
    for (let first = index % manifest.documents; ; first = 0) yield* this.#fromIndex(manifest, first)
  }

  /** The ids of a selection from `index` on, once. */
  async *#fromIndex(manifest: Manifest, index: number): AsyncGenerator<DocumentId> {
    for await (const ids of this.chunks(manifest, index)) yield* ids
  }

  /** The ids of a selection from `index` on, once, in chunks as written. */
  chunks(manifest: Manifest, index = 0): AsyncGenerator<readonly DocumentId[]> {
    return selectionIds(this.#ports, manifest, index)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async close(): Promise<void> {
    for (const { round, reject } of this.#waiting) reject(interrupted(round))
    await this.#consumer?.close()
  }
}

const interrupted = (round: number) => new WinnowError('INTERRUPTED', `stopped while waiting for round ${round}`)

function refused({ run, round, index }: Position, reason: string): WinnowError {
  return new WinnowError(
    'POSITION_REFUSED',
    `position ${index} of round ${round} of run ${run} is refused: ${reason}`,
    {
      hint: 'Resume with the checkpoint of this run, or start the run again.',
    },
  )
}
