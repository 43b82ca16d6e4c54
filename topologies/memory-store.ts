import {
  type Document,
  type DocumentId,
  type Exclusion,
  type Label,
  type Sketch,
  type TopicOffset,
  topics,
} from '../schemas/index.ts'
import type {
  At,
  CorpusStore,
  CrowdedOptions,
  DuplicateLimit,
  LabelColumn,
  Preparing,
  ViewOptions,
} from './corpus-store.ts'
import { crowdRanks } from './duplicates/crowds.ts'
import type { SourceCrowd } from './duplicates/losses.ts'
import type { Corpus } from './selection/corpus.ts'
import { MemoryCorpus } from './selection/memory-corpus.ts'
import { wordsOf } from './selection/mix.ts'
import { type ReadSelection, readsOfSelection } from './selection/read-selection.ts'

/** The corpus in maps: what stations on the in-memory driver use. */
export class MemoryStore implements CorpusStore {
  readonly #documents = new Map<DocumentId, At<Document>>()
  readonly #labels = new Map<string, Map<DocumentId, At<Label>>>()
  readonly #exclusions = new Map<DocumentId, At<Exclusion>[]>()
  /** By version. */
  readonly #sketches = new Map<string, Map<DocumentId, At<Sketch>>>()
  readonly #committed = new Map<string, TopicOffset>()
  readonly #reads = new Map<string, ReadonlyMap<DocumentId, number>>()
  readonly #readSelections = new Map<string, ReadSelection>()

  async addDocuments(documents: readonly At<Document>[]): Promise<void> {
    for (const document of documents) keepLowest(this.#documents, document.value.docId, document)
  }

  async addLabels(labels: Iterable<At<Label>>): Promise<void> {
    for (const label of labels) {
      const column = `${label.value.actor}/${label.value.version}`
      const ofColumn = this.#labels.get(column) ?? new Map<DocumentId, At<Label>>()
      this.#labels.set(column, ofColumn)
      keepLowest(ofColumn, label.value.docId, label)
    }
  }

  async addExclusions(exclusions: readonly At<Exclusion>[]): Promise<void> {
    for (const one of exclusions) {
      const ofDocument = this.#exclusions.get(one.value.docId) ?? []
      this.#exclusions.set(one.value.docId, ofDocument)
      if (!ofDocument.some(({ partition, offset }) => partition === one.partition && offset === one.offset))
        ofDocument.push(one)
    }
  }

  async addSketches(sketches: readonly At<Sketch>[]): Promise<void> {
    for (const sketch of sketches) {
      const { version, docId } = sketch.value
      const ofVersion = this.#sketches.get(version) ?? new Map<DocumentId, At<Sketch>>()
      this.#sketches.set(version, ofVersion)
      keepLowest(ofVersion, docId, sketch)
    }
  }

  async commit(offsets: readonly TopicOffset[]): Promise<void> {
    for (const offset of offsets) {
      const name = `${offset.topic}[${offset.partition}]`
      const before = this.#committed.get(name)
      if (before === undefined || before.offsetNext < offset.offsetNext) this.#committed.set(name, offset)
    }
  }

  async committed(): Promise<TopicOffset[]> {
    return [...this.#committed.values()].sort((a, b) =>
      a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.partition - b.partition,
    )
  }

  async prepare(): Promise<undefined> {}

  async preparing(): Promise<undefined> {}

  async view(options: ViewOptions): Promise<Corpus> {
    const { columns, labelOffsets, readsOf, duplicates } = options
    const takesPart = this.#amongDuplicates(this.#takingPart(columns, labelOffsets), labelOffsets, duplicates)
    const byColumn = columns.map((column) => this.#ofColumn(column))
    const sizes = columns.map((_, i) => 1 + largest(byColumn[i]!.values()))
    const corpus = new MemoryCorpus(sizes, [...columns.keys()])
    for (const [docId, document] of this.#documents) {
      if (!takesPart(docId)) continue
      const labels = byColumn.map((ofColumn) => ofColumn.get(docId)!.value)
      corpus.add(
        docId,
        document.value.tokens,
        labels.map(({ subcategory }) => subcategory),
        labels.map(({ score }) => score),
      )
    }
    if (readsOf !== null) this.#countReads(corpus, readsOf, options)
    return corpus
  }

  #ofColumn({ actor, version }: LabelColumn): ReadonlyMap<DocumentId, At<Label>> {
    return this.#labels.get(`${actor}/${version}`) ?? new Map()
  }

  async sketched(
    { columns, labelOffsets }: Pick<ViewOptions, 'columns' | 'labelOffsets'>,
    version: string,
  ): Promise<Preparing> {
    const documents = [...this.#documents.keys()].filter(this.#labelled(columns, before(labelOffsets)))
    const isSketched = this.#isSketched(version, labelOffsets)
    return { done: documents.filter(isSketched).length, total: documents.length }
  }

  async crowdedOut({ columns, labelOffsets, duplicates }: CrowdedOptions): Promise<SourceCrowd[]> {
    const takesPart = this.#takingPart(columns, labelOffsets)
    const isSketched = this.#isSketched(duplicates.version, labelOffsets)
    const isLeft = this.#amongDuplicates(takesPart, labelOffsets, duplicates)
    const there = [...this.#documents].filter(([docId]) => takesPart(docId) && isSketched(docId))
    return [...Map.groupBy(there, ([docId]) => Number(docId >> 40n))].map(([source, own]) => {
      const tokensOf = (some: typeof own) => some.reduce((sum, [, { value }]) => sum + value.tokens, 0)
      const lost = own.filter(([docId]) => !isLeft(docId))
      const [tokens, lostTokens] = [tokensOf(own), tokensOf(lost)]
      return { source, documents: own.length, tokens, lostDocuments: lost.length, lostTokens }
    })
  }

  #isSketched(version: string, labelOffsets: readonly TopicOffset[]): (docId: DocumentId) => boolean {
    const visible = before(labelOffsets)
    return (docId) => visible(topics.sketches.name, this.#sketches.get(version)?.get(docId))
  }

  /** Of those who take part otherwise, whom a limit on near duplicates leaves. */
  #amongDuplicates(
    takesPart: (docId: DocumentId) => boolean,
    labelOffsets: readonly TopicOffset[],
    limit: DuplicateLimit | undefined,
  ): (docId: DocumentId) => boolean {
    if (limit === undefined) return takesPart
    const sketches = this.#sketches.get(limit.version) ?? new Map<DocumentId, At<Sketch>>()
    const isSketched = this.#isSketched(limit.version, labelOffsets)
    const isThere = (docId: DocumentId) => takesPart(docId) && isSketched(docId)
    const there = [...sketches].filter(([docId]) => isThere(docId))
    const ranks = crowdRanks(there.map(([docId, { value }]) => [docId, value.keys] as const))
    return (docId) => isThere(docId) && (ranks.get(docId) ?? 0) < limit.atMost
  }

  /** Whether a document and all its labels stand before these offsets, and none of its exclusions holds there. */
  #takingPart(columns: readonly LabelColumn[], labelOffsets: readonly TopicOffset[]): (docId: DocumentId) => boolean {
    const visible = before(labelOffsets)
    const isExcluded = (docId: DocumentId) => {
      const before = this.#exclusions.get(docId)?.filter((one) => visible(topics.exclusions.name, one)) ?? []
      before.sort((a, b) => a.offset - b.offset)
      const lists = new Map(before.map(({ value }) => [value.list, value.excluded]))
      return [...lists.values()].includes(true)
    }
    const isLabelled = this.#labelled(columns, visible)
    return (docId) => isLabelled(docId) && !isExcluded(docId)
  }

  #labelled(columns: readonly LabelColumn[], visible: ReturnType<typeof before>): (docId: DocumentId) => boolean {
    return (docId) =>
      visible(topics.documents.name, this.#documents.get(docId)) &&
      columns.every((column) => visible(column.topic, this.#ofColumn(column).get(docId)))
  }

  #countReads(corpus: MemoryCorpus, run: string, { columns, earlier }: ViewOptions): void {
    const count = (docId: DocumentId, times: number) => {
      const column = BigUint64Array.of(docId)
      const [low, high] = wordsOf(column)
      // What was read may have been excluded since. A column of one id, passed n times, counts as n reads.
      if (corpus.find(low!, high!) !== -1) corpus.addReads(column, 0, 1, times)
    }
    if (earlier === undefined) {
      for (const [name, counts] of this.#reads)
        if (name.startsWith(`${run}/`)) for (const [docId, times] of counts) count(docId, times)
      return
    }
    for (const { round } of earlier) {
      const read = this.#readSelections.get(`${run}/${round}`)
      if (read === undefined) continue
      const takesPart = this.#takingPart(columns, read.labelOffsets)
      const timesOf = readsOfSelection(read)
      for (let number = 0; number < corpus.size; number++) {
        const docId = corpus.idOf(number)
        const times = takesPart(docId) ? timesOf(docId, corpus.labelsOf(number), corpus.readsOf(number)) : 0
        if (times > 0) count(docId, times)
      }
    }
  }

  async readRounds(run: string, by: 'conditions' | 'documents'): Promise<ReadonlySet<number>> {
    const names = [...(by === 'conditions' ? this.#readSelections : this.#reads).keys()]
    return new Set(names.filter((name) => name.startsWith(`${run}/`)).map((name) => Number(name.split('/')[1])))
  }

  async addReadSelection(run: string, round: number, read: ReadSelection): Promise<void> {
    this.#readSelections.set(`${run}/${round}`, read)
  }

  async texts(ids: readonly DocumentId[]): Promise<Map<DocumentId, string>> {
    const texts = new Map<DocumentId, string>()
    for (const id of ids) {
      const document = this.#documents.get(id)
      if (document !== undefined) texts.set(id, document.value.text)
    }
    return texts
  }

  async addReads(run: string, round: number, reads: AsyncIterable<ReadonlyMap<DocumentId, number>>): Promise<void> {
    const all = new Map<DocumentId, number>()
    for await (const counts of reads) for (const [docId, times] of counts) all.set(docId, times)
    this.#reads.set(`${run}/${round}`, all)
  }
}

/** Whether a record of a topic stands before these offsets. */
function before(labelOffsets: readonly TopicOffset[]): (topic: string, at: At<unknown> | undefined) => boolean {
  const limits = new Map(labelOffsets.map(({ topic, partition, offsetNext }) => [`${topic}[${partition}]`, offsetNext]))
  return (topic, at) => at !== undefined && at.offset < (limits.get(`${topic}[${at.partition}]`) ?? 0)
}

/** Of repeats, the one at the lowest offset counts, whichever arrives first. */
function keepLowest<V>(map: Map<DocumentId, At<V>>, docId: DocumentId, at: At<V>): void {
  const before = map.get(docId)
  if (before === undefined || at.offset < before.offset) map.set(docId, at)
}

function largest(labels: Iterable<At<Label>>): number {
  let max = 0
  for (const { value } of labels) max = Math.max(max, value.subcategory)
  return max
}
