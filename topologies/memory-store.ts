import { type Document, type DocumentId, type Label, type TopicOffset, topics } from '../schemas/index.ts'
import type { At, CorpusStore, ViewOptions } from './corpus-store.ts'
import type { Corpus } from './selection/corpus.ts'
import { MemoryCorpus } from './selection/memory-corpus.ts'

/** The corpus in maps: what stations on the in-memory driver use. */
export class MemoryStore implements CorpusStore {
  readonly #documents = new Map<DocumentId, At<Document>>()
  readonly #labels = new Map<string, Map<DocumentId, At<Label>>>()
  readonly #committed = new Map<string, TopicOffset>()
  readonly #reads = new Map<string, ReadonlyMap<DocumentId, number>>()

  async addDocuments(documents: readonly At<Document>[]): Promise<void> {
    for (const document of documents) keepLowest(this.#documents, document.value.docId, document)
  }

  async addLabels(labels: readonly At<Label>[]): Promise<void> {
    for (const label of labels) {
      const column = `${label.value.actor}/${label.value.version}`
      const ofColumn = this.#labels.get(column) ?? new Map<DocumentId, At<Label>>()
      this.#labels.set(column, ofColumn)
      keepLowest(ofColumn, label.value.docId, label)
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

  async view({ columns, labelOffsets, readsOf }: ViewOptions): Promise<Corpus> {
    const limits = new Map(
      labelOffsets.map(({ topic, partition, offsetNext }) => [`${topic}[${partition}]`, offsetNext]),
    )
    const visible = (topic: string, at: At<unknown> | undefined) =>
      at !== undefined && at.offset < (limits.get(`${topic}[${at.partition}]`) ?? 0)
    const byColumn = columns.map(
      ({ actor, version }) => this.#labels.get(`${actor}/${version}`) ?? new Map<DocumentId, At<Label>>(),
    )
    const sizes = columns.map((_, i) => 1 + largest(byColumn[i]!.values()))
    const corpus = new MemoryCorpus(sizes, [...columns.keys()])
    for (const [docId, document] of this.#documents) {
      const labels = byColumn.map((ofColumn) => ofColumn.get(docId))
      if (!visible(topics.documents.name, document) || !labels.every((label, i) => visible(columns[i]!.topic, label)))
        continue
      corpus.add(
        docId,
        document.value.tokens,
        labels.map((label) => label!.value.subcategory),
        labels.map((label) => label!.value.score),
      )
    }
    if (readsOf !== null) this.#countReads(corpus, readsOf)
    return corpus
  }

  #countReads(corpus: MemoryCorpus, run: string): void {
    for (const [name, counts] of this.#reads) {
      if (!name.startsWith(`${run}/`)) continue
      // A column of one id, passed n times, counts as n reads.
      for (const [docId, times] of counts) corpus.addReads(BigUint64Array.of(docId), 0, 1, times)
    }
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
