import {
  Document,
  Exclusion,
  type Label,
  labelsTopic,
  type Offset,
  type Partition,
  Sketch,
  type TopicOffset,
} from '../../schemas/index.ts'
import type { At, CorpusStore } from '../corpus-store.ts'
import { sketchVersionRule } from '../duplicates/sketch.ts'
import { Labels } from '../labels.ts'
import type { Delivered, Output, Processor } from '../node.ts'
import { isUsableScore } from '../selection/strategy.ts'

/** The largest value of a cell column. */
const subcategoryMax = 2 ** 16 - 1

/**
 * Writes documents, labels, exclusions and sketches into the corpus store, then commits its offsets there. Idempotent by construction: whatever is delivered
 * again, after a kill between any two of these steps, merges into the same rows.
 */
export class LabelSink implements Processor {
  readonly #store: CorpusStore
  readonly #output: Output
  #last = { actor: '', topic: '', version: '' }

  constructor(store: CorpusStore, output: Output) {
    this.#store = store
    this.#output = output
  }

  process(batch: readonly Delivered[], reached?: TopicOffset): Promise<void> {
    return this.processPieces([batch], reached)
  }

  async processPieces(
    pieces: AsyncIterable<readonly Delivered[]> | Iterable<readonly Delivered[]>,
    reached?: TopicOffset,
  ): Promise<void> {
    const documents: At<Document>[] = []
    const exclusions: At<Exclusion>[] = []
    const sketches: At<Sketch>[] = []
    const labels = new Labels()
    const offsets: TopicOffset[] = reached === undefined ? [] : [reached]
    for await (const piece of pieces) {
      for (const delivered of piece) {
        if (delivered.record === Document.name) documents.push(delivered as Delivered<Document>)
        else if (delivered.record === Exclusion.name) exclusions.push(delivered as Delivered<Exclusion>)
        else if (delivered.record === Sketch.name) {
          if (this.#isSketch(delivered as Delivered<Sketch>)) sketches.push(delivered as Delivered<Sketch>)
        } else if (this.#acceptable(delivered as Delivered<Label>)) labels.add(delivered as Delivered<Label>)
      }
      advance(offsets, piece)
    }
    if (exclusions.length > 0) await this.#store.addExclusions(exclusions)
    if (sketches.length > 0) await this.#store.addSketches(sketches)
    await this.#store.addDocuments(documents)
    await this.#store.addLabels(labels)
    await this.#store.commit(offsets)
  }

  /** By its own offsets, not the group's, which anybody may move and which know nothing of a new database. */
  async floorOffset(topic: string, partition: Partition): Promise<Offset> {
    const committed = await this.#store.committed()
    return committed.find((place) => place.topic === topic && place.partition === partition)?.offsetNext ?? 0
  }

  // One record after the other is of the same actor and version.
  #topicOf(actor: string): string {
    if (actor !== this.#last.actor) this.#last = { ...this.#last, actor, topic: labelsTopic(actor).name }
    return this.#last.topic
  }

  #isVersion(version: string): boolean {
    if (version === this.#last.version) return true
    if (!/^[a-z0-9]{1,64}$/.test(version)) return false
    this.#last = { ...this.#last, version }
    return true
  }

  #isSketch(delivered: Delivered<Sketch>): boolean {
    const { docId, version, keys } = delivered.value
    if (sketchVersionRule.test(version) && keys.every((key) => key >= 0)) return true
    this.#output.deadLetter(delivered, 'bad-sketch', `sketch of document ${docId}, version ${version}`)
    return false
  }

  #acceptable(delivered: Delivered<Label>): boolean {
    const { actor, subcategory, docId, score, version } = delivered.value
    if (this.#topicOf(actor) !== delivered.topic) {
      this.#output.deadLetter(delivered, 'wrong-actor', `label of document ${docId} is for actor ${actor}`)
      return false
    }
    if (
      !Number.isInteger(subcategory) ||
      subcategory < 0 ||
      subcategory > subcategoryMax ||
      !this.#isVersion(version)
    ) {
      this.#output.deadLetter(
        delivered,
        'bad-label',
        `label of document ${docId}: subcategory ${subcategory}, version ${version}`,
      )
      return false
    }
    if (!isUsableScore(score)) {
      this.#output.deadLetter(
        delivered,
        'non-finite-score',
        `label of document ${docId} for actor ${actor} has the score ${score}`,
      )
      return false
    }
    return true
  }
}

/** Rejected records count as processed, so that waiting for the corpus does not wait for poison. */
function advance(offsets: TopicOffset[], records: readonly Delivered[]): void {
  let last = offsets[0]
  for (const { topic, partition, offset } of records) {
    // Almost always that of the record before.
    if (last?.topic === topic && last.partition === partition && offset < last.offsetNext) continue
    const at = offsets.findIndex((one) => one.topic === topic && one.partition === partition)
    last = { topic, partition, offsetNext: Math.max(offsets[at]?.offsetNext ?? 0, offset + 1) }
    offsets[at < 0 ? offsets.length : at] = last
  }
}
