import {
  ActorChange,
  asDocumentId,
  Document,
  type DocumentId,
  Exclusion,
  Label,
  labelsTopic,
  Manifest,
  Progress,
  Promotion,
  Reward,
  RoundAdopted,
  type RoundClosed,
  type RoundOpened,
  runTopics,
  type SelectionChunk,
  Steering,
  topics,
} from '../../schemas/index.ts'
import type { ShadowState } from '../../topologies/console/promotions.ts'
import type { Ports } from '../../topologies/dataflow.ts'
import { actorStation, dataflow, labelerStation, labelSinkStation } from '../../topologies/dataflow.ts'
import { MemoryStore } from '../../topologies/memory-store.ts'
import type { OtherLoss } from '../../topologies/rounds/other-text.ts'
import { type RunConfig, runConfigJson } from '../../topologies/run-config.ts'
import type { Score } from '../../topologies/stations/influence.ts'
import { labelledIn } from '../support/drive.ts'
import { type Call, FaultDriver, type Faults, faultyStore, noFaults } from '../support/fault-driver.ts'
import { Seeded } from '../support/seeded.ts'
import { documents, rewardOf, subcategoryOf, tinyRun } from '../topologies/loop.ts'
import type { NaiveConfig } from '../topologies/selection/naive.ts'

export const roundsMax = 4

export interface WorldOptions {
  readonly seed: number
  /** Another interleaving, and other partitions, of the same inputs. */
  readonly schedule?: number
  /** While the run is on; afterwards all faults stop. */
  readonly faults: Faults
  /** The trainer reports whenever it likes, the corpus grows meanwhile, rewards come doubled with other values, late or not at all. */
  readonly unruly: boolean
  /** Lists take documents out, and back in, while the run is on. */
  readonly excluding?: boolean
  /** Records that no station may take in are mixed into every topic. */
  readonly poison: boolean
  readonly selection: Partial<NaiveConfig>
  /** Other fields of the run. */
  readonly more?: object
  /** An actor that is added while the run is on, with all that labels for it. */
  readonly newcomer?: Partial<ActorChange>
  /** Labels of other subcategories, version `finer`, that an actor of the run is given while it is on. */
  readonly finer?: Pick<ActorChange, 'actor' | 'subcategories' | 'initialWeights' | 'mapping'> & {
    readonly labelOf: (docId: DocumentId) => number
  }
  /** A shadow, level with the run whenever it is asked for, that is promoted while the run is on: from where the run goes on. */
  readonly shadow?: ShadowState
  /** What somebody steers while the run is on. */
  readonly steered?: Pick<Steering, 'rules' | 'repetitionsMost' | 'fromRound'> & Partial<Steering>
  /** The loss on other text at a step. Left out: the trainer reports none. */
  readonly otherLoss?: (step: number) => number
  /** Likewise, of the other run that there is. */
  readonly controlLoss?: (step: number) => number
}

const textOf = new Map(documents.map((document) => [document.text, document.docId]))
/** Documents that no labeler can label. */
export const unlabelable = (docId: bigint): boolean => docId % 17n === 0n

export const newcomer = 'texture'

/** Of every labeler. */
export const labelCost = { model: 'm', device: 'cpu', parameters: 10, parametersAll: 30, factor: 2 }

/** A run in a world where things fail, with everything that an oracle needs to say what should have come out. */
export class World {
  readonly random: Seeded
  /** Of its own, so that a seed's other inputs are the same without exclusions. */
  readonly #exclusions: Seeded
  readonly run: RunConfig
  readonly driver: FaultDriver
  readonly topics: ReturnType<typeof runTopics>
  readonly #options: WorldOptions
  readonly #store = new MemoryStore()
  #documentsLeft: (typeof documents)[number][]
  #stepLast = 0
  #scored = 0

  constructor(options: WorldOptions) {
    this.#options = options
    this.random = new Seeded(options.seed)
    this.#exclusions = new Seeded(options.seed + 2_000_003)
    // Of a trainer that reads on while rewards are computed more is known later than when the next round opens.
    const trainer = options.unruly && this.random.chance(0.5) ? { trainer: { switch: { lag: 3 } } } : {}
    const priced =
      options.selection.price === undefined
        ? {}
        : { reference: { reward: 'r', other: 'o', evaluation: 'e', corpus: 'c' } }
    const more = { ...trainer, ...priced, ...options.more }
    this.run = tinyRun(options.selection, { sampleDocuments: 1 + this.random.below(4), ...more })
    this.topics = runTopics(this.run.name)
    const single: string[] = [this.topics.selections.name, this.topics.progress.name, this.topics.changes.name]
    const schedule = new Seeded(options.schedule ?? options.seed + 1_000_003)
    const spread = 1 + schedule.below(4)
    const partitions = (topic: string) => (single.includes(topic) || topic.endsWith('-state') ? 1 : spread)
    this.driver = new FaultDriver(schedule, partitions, { ports: (call) => this.#ports(call) })
    this.#documentsLeft = documents.slice(0, 50 + this.random.below(30))
  }

  /** Actors whose labelers run. */
  get labelers(): string[] {
    const own = this.run.selection.actors.map(({ name }) => name)
    return this.#options.newcomer === undefined ? own : [...own, newcomer]
  }

  /** Actors with the versions of their labels. */
  get labels(): string[] {
    const { finer } = this.#options
    return [...this.labelers.map((name) => `${name} v1`), ...(finer === undefined ? [] : [`${finer.actor} finer`])]
  }

  manifests(): Manifest[] {
    return this.decisions<Manifest>(Manifest.name)
  }

  decisions<T extends Manifest | RoundOpened | RoundClosed>(name: string): T[] {
    const all = this.driver.log.records<T>(this.topics.consoleState.name)
    return all.filter(({ record }) => record === name).map(({ value }) => value)
  }

  /** The selection that a manifest speaks of, read as a trainer does: by offset. */
  selected(manifest: Manifest): DocumentId[] {
    const chunks = this.driver.log.records<SelectionChunk>(this.topics.selections.name)
    const ids: DocumentId[] = []
    for (let i = 0; ids.length < manifest.documents; i++) {
      const part = manifest.parts.findLast(({ chunkFirst }) => chunkFirst <= i)!
      const chunk = chunks.find(({ offset }) => offset === part.offsetFirst + i - part.chunkFirst)
      if (
        chunk === undefined ||
        chunk.value.indexFirst !== i * manifest.chunkDocuments ||
        chunk.value.round !== manifest.round
      )
        throw new Error(`round ${manifest.round}: chunk ${i} does not stand where the manifest says`)
      ids.push(...Array.from(chunk.value.docIds, asDocumentId))
    }
    return ids
  }

  /** The whole run: a corpus, then rounds under faults, then peace, in which everything that is due must come. */
  async play(): Promise<void> {
    const { faults, unruly } = this.#options
    const stations = dataflow(this.run)
    const corpus = stations.filter(({ kind }) => kind === 'labeler' || kind === 'label-sink')
    this.driver.faults = faults
    this.driver.add(corpus)
    if (unruly) {
      this.#ingest(10)
      await this.#steps(this.random.below(200))
    } else {
      this.#ingest(this.#documentsLeft.length)
      await this.#whileDisturbed()
    }
    this.driver.add(stations.filter((station) => !corpus.includes(station)))
    await (unruly ? this.#unrulyRun() : this.#orderlyRun())
    this.driver.faults = noFaults
    this.#ingest(this.#documentsLeft.length)
    await this.#peace()
    this.#report((roundsMax - 1) * this.run.updateSteps)
    await this.#peace()
  }

  async #orderlyRun(): Promise<void> {
    await this.#steps(this.random.below(40))
    if (this.#options.newcomer !== undefined) this.#add(this.#options.newcomer)
    if (this.#options.finer !== undefined) this.#relabel(this.#options.finer)
    if (this.#options.shadow !== undefined) this.#promote(this.#options.shadow)
    if (this.#options.steered !== undefined) this.#steer(this.#options.steered)
    await this.#whileDisturbed()
    for (let round = 1; round < roundsMax; round++) {
      this.#report(round * this.run.updateSteps, 7)
      await this.#whileDisturbed()
    }
  }

  async #unrulyRun(): Promise<void> {
    for (let i = 0; i < 40; i++) {
      await this.#steps(this.random.below(40))
      if (this.random.chance(0.3)) this.#ingest(5)
      if (this.random.chance(0.25)) this.#report(Math.min(this.#stepLast + 5, (roundsMax - 1) * this.run.updateSteps))
      if (this.random.chance(0.2)) this.#leave()
      if (this.#options.excluding) this.#exclude()
      if (this.#options.poison && this.random.chance(0.3)) this.#poison()
      if (this.random.chance(0.2)) await this.driver.tick()
    }
  }

  #promote({ run }: ShadowState): void {
    const value: Promotion = {
      ...{ run: this.run.name, id: 'p', shadow: run.name, config: runConfigJson(run), fromRound: null, recordedMs: 0 },
    }
    this.driver.append([{ topic: this.topics.changes.name, record: Promotion, key: value.id, value }])
  }

  #steer(given: NonNullable<WorldOptions['steered']>): void {
    const who = { run: this.run.name, id: 's', by: 'ada', why: 'because', recordedMs: 0 }
    const value: Steering = { ...who, otherBound: null, ...given }
    this.driver.append([{ topic: this.topics.changes.name, record: Steering, key: value.id, value }])
  }

  #add(given: Partial<ActorChange>): void {
    const sink = { ...labelSinkStation([newcomer]), name: 'label sink of the newcomer' }
    this.driver.add([labelerStation(newcomer), sink, actorStation(this.run, newcomer)])
    const value: ActorChange = {
      ...{ run: this.run.name, id: 'add', kind: 'add', actor: newcomer, fromRound: null, eta: 0.5 },
      ...{ subcategories: ['a', 'b', 'c'], initialWeights: [1, 0, -1], initialTheta: null, labelerVersion: 'v1' },
      ...{ labeler: '{}', labelerFolder: '/', recordedMs: 0, fit: null, mapping: null, by: '', why: '', ...given },
    }
    this.driver.append([{ topic: this.topics.changes.name, record: ActorChange, key: value.id, value }])
  }

  #relabel({ labelOf, ...given }: NonNullable<WorldOptions['finer']>): void {
    const station = labelerStation(given.actor)
    const labels = <P extends Pick<Ports, 'labelModel'>>(ports: P): P => ({
      ...ports,
      labelModel: (actor) => {
        const { label, ...model } = ports.labelModel(actor)
        const relabelled = async (inputs: Parameters<typeof label>[0]) =>
          (await label(inputs)).map((verdict, i) =>
            verdict.ok ? { ...verdict, subcategory: labelOf(textOf.get(inputs[i]!.text)!) } : verdict,
          )
        return { ...model, version: 'finer', label: relabelled }
      },
    })
    const build: typeof station.build = (ports, output) => station.build(labels(ports), output)
    this.driver.add([{ ...station, name: 'labeler of finer subcategories', build }])
    const value: ActorChange = {
      ...{ run: this.run.name, id: 'finer', kind: 'relabel', fromRound: null, eta: 0, initialTheta: null },
      ...{ labelerVersion: 'finer', labeler: '{}', labelerFolder: '/', recordedMs: 0, fit: null },
      ...{ by: 'ada', why: 'because', ...given },
    }
    this.driver.append([{ topic: this.topics.changes.name, record: ActorChange, key: value.id, value }])
  }

  /** Under faults there is always something to do; when nothing is left for a moment, what is due has come. */
  async #whileDisturbed(): Promise<void> {
    const faults = this.driver.faults
    await this.#steps(60 + this.random.below(60))
    this.driver.faults = noFaults
    await this.#peace()
    this.driver.faults = faults
  }

  async #peace(): Promise<void> {
    await this.driver.settle()
    // Answers that will never come are waited for no longer than the deadline.
    for (let i = 0; i < 20; i++) {
      this.driver.nowMs += 3 * 3600_000
      await this.driver.tick()
      await this.driver.settle()
    }
  }

  async #steps(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.driver.step()
  }

  #ingest(count: number): void {
    const some = this.#documentsLeft.splice(0, count)
    this.driver.append(
      some.map((value) => ({ topic: topics.documents.name, record: Document, key: `${value.docId}`, value })),
    )
  }

  #exclude(): void {
    const random = this.#exclusions
    if (!random.chance(0.3)) return
    const some = Array.from({ length: 1 + random.below(6) }, (): Exclusion => {
      const { docId } = random.pick(documents.slice(0, 60))
      const list = random.pick(['erasure/a', 'erasure/b'])
      const what = { list, reason: 'erasure', excluded: random.chance(0.7) } as const
      return { docId: asDocumentId(docId), ...what, by: 'somebody', recordedMs: 0, contained: null }
    })
    this.driver.append(
      some.map((value) => ({ topic: topics.exclusions.name, record: Exclusion, key: `${value.docId}`, value })),
    )
  }

  /** That the trainer has left a selection; in mode `ready` also that it will. */
  #leave(): void {
    const { random } = this
    const round = 1 + random.below(roundsMax)
    const value: RoundAdopted = {
      ...{ run: random.chance(0.9) ? this.run.name : 'another', round, step: this.#stepLast, sequenceFirst: 0 },
      ...{ previousRound: round - 1, previousRead: random.chance(0.2) ? null : random.below(90) },
    }
    this.driver.append([{ topic: this.topics.progress.name, record: RoundAdopted, key: this.run.name, value }])
  }

  /** What a trainer says; one that has no selection yet, or was started again, says odd things, which are its right. */
  #report(step: number, position?: number): void {
    this.#stepLast = Math.max(this.#stepLast, step)
    const round = this.manifests().at(-1)?.round ?? 0
    const value: Progress = {
      run: this.run.name,
      step,
      tokens: step * 100,
      round,
      position: position ?? this.random.below(70),
      trainLoss: 1,
      referenceLoss: null,
      corpusLoss: this.#options.otherLoss?.(step) ?? null,
      checkpoint:
        position === undefined && step < (roundsMax - 1) * this.run.updateSteps && this.random.chance(0.2)
          ? null
          : { path: `step-${step}`, digest: 'x'.repeat(step), step },
    }
    this.driver.append([{ topic: this.topics.progress.name, record: Progress, key: this.run.name, value }])
  }

  /** With the reward on other text, where the run has a price on it. */
  #score(reward: number, other: number): Score {
    return this.run.selection.price === undefined ? reward : { reward, tasks: [reward, other] }
  }

  #poison(): void {
    const { random } = this
    const old = this.driver.log.records<Reward>(this.topics.rewards.name).map(({ value }) => value)
    if (old.length > 0) {
      const some = random.pick(old)
      const value = random.pick<Reward>([
        { ...some, reward: some.reward + 1 },
        { ...some, reward: Number.NaN },
        { ...some, reward: Number.POSITIVE_INFINITY },
        { ...some, round: some.round + 1 + random.below(3) },
        { ...some, run: 'another', reward: 5 },
        { ...some, actor: 'nobody' },
        { ...some, docId: asDocumentId(some.docId ^ 1n) },
        { ...some, checkpointDigest: 'another' },
      ])
      this.driver.append([{ topic: this.topics.rewards.name, record: Reward, key: `${value.docId}`, value }])
    }
    const actor = random.pick(this.run.selection.actors).name
    const docId = random.pick(documents).docId
    const good: Label = {
      docId: asDocumentId(docId),
      actor,
      subcategory: subcategoryOf(actor, docId),
      score: 1,
      tokens: 5,
      version: 'v1',
    }
    const value = random.pick<Label>([
      { ...good, actor: 'nobody' },
      { ...good, subcategory: -1 },
      { ...good, score: Number.NaN },
      { ...good, version: 'not plain' },
      { ...good, version: 'v2', subcategory: 0 },
    ])
    this.driver.append([{ topic: labelsTopic(actor).name, record: Label, key: `${docId}`, value }])
  }

  #ports(call: Call): Ports {
    const { unruly } = this.#options
    return {
      store: faultyStore(this.#store, call, this.random),
      labelModel: (actor) => ({
        actor,
        version: 'v1',
        cost: labelCost,
        label: (inputs) =>
          call(() =>
            inputs.map(({ text }) => {
              const docId = textOf.get(text)!
              if (unlabelable(docId)) return { ok: false, reason: 'unlabelable', message: 'no' }
              return { ok: true, subcategory: subcategoryOf(actor, docId), score: 1 }
            }),
          ),
      }),
      influence: {
        graphDigest: 'graph',
        estimator: 'test',
        projectionSeed: '0',
        score: ({ digest }, texts) =>
          call(() =>
            texts.map((text) => {
              const docId = textOf.get(text)!
              const reward = rewardOf(digest, docId)
              if (!unruly) return this.#score(reward, rewardOf(digest, docId ^ 1n))
              // A worker that never answers the same twice: which answer counts then shows in every bit.
              this.#scored++
              const given = this.random.chance(0.03) ? Number.NaN : reward + this.#scored / 1000
              return this.#score(given, reward - this.#scored / 100)
            }),
          ),
      },
      booking: { now: () => this.driver.nowMs },
      console: {
        labelled: (column, documents) => call(() => labelledIn(this.#store, this.#unlabelable())(column, documents)),
        shadowAt: (_shadow, round) => call(async () => (round < 0 ? undefined : this.#options.shadow)),
        otherLosses: () => call(async () => this.#control()),
        selections: { selection: (manifest, index) => this.#chunks(call, manifest, index) },
        now: () => this.driver.nowMs,
        // Small selections in several parts.
        layout: { chunkDocuments: 3, partChunks: 2 },
      },
    }
  }

  #control(): OtherLoss[] {
    const { controlLoss } = this.#options
    if (controlLoss === undefined) return []
    return Array.from({ length: 60 }, (_, step) => ({ step, tokens: step * 100, loss: controlLoss(step) }))
  }

  #unlabelable(): number {
    const known = this.driver.log.records<Document>(topics.documents.name)
    return new Set(known.map(({ value }) => value.docId).filter(unlabelable)).size
  }

  /** As the real reader: a manifest may be readable before the chunks that it speaks of. */
  async *#chunks(call: Call, manifest: Manifest, index: number): AsyncGenerator<readonly DocumentId[]> {
    for (;;) {
      await call(() => {})
      const pending = this.driver.log.markersPending.some(({ topic }) => topic === this.topics.selections.name)
      if (!pending) break
    }
    yield this.selected(manifest).slice(index)
  }
}
