import type { DocumentId, Label } from '../schemas/index.ts'
import type { At } from './corpus-store.ts'

const rowsFirst = 1024

/**
 * Labels of one version of one actor's labeler, a column for each of their numbers: hundreds of thousands are held at a time, and as objects
 * they cost the garbage collector more than all else that is done with them.
 */
export class LabelColumns implements Iterable<At<Label>> {
  readonly actor: string
  readonly version: string
  length = 0
  docIds = new BigUint64Array(rowsFirst)
  subcategories = new Uint16Array(rowsFirst)
  scores = new Float64Array(rowsFirst)
  tokens = new Float64Array(rowsFirst)
  partitions = new Uint32Array(rowsFirst)
  offsets = new Float64Array(rowsFirst)

  constructor(actor: string, version: string) {
    this.actor = actor
    this.version = version
  }

  add({ value, partition, offset }: At<Label>): void {
    const row = this.length++
    if (row === this.docIds.length) this.#grow()
    this.docIds[row] = value.docId
    this.subcategories[row] = value.subcategory
    this.scores[row] = value.score
    this.tokens[row] = value.tokens
    this.partitions[row] = partition
    this.offsets[row] = offset
  }

  *[Symbol.iterator](): Iterator<At<Label>> {
    const { actor, version } = this
    for (let row = 0; row < this.length; row++) {
      yield {
        value: {
          docId: this.docIds[row] as DocumentId,
          actor,
          subcategory: this.subcategories[row]!,
          score: this.scores[row]!,
          tokens: this.tokens[row]!,
          version,
        },
        partition: this.partitions[row]!,
        offset: this.offsets[row]!,
      }
    }
  }

  #grow(): void {
    const rows = this.length * 2
    const grown = <Column extends { set(from: Column): void }>(column: Column, larger: Column): Column => {
      larger.set(column)
      return larger
    }
    this.docIds = grown(this.docIds, new BigUint64Array(rows))
    this.subcategories = grown(this.subcategories, new Uint16Array(rows))
    this.scores = grown(this.scores, new Float64Array(rows))
    this.tokens = grown(this.tokens, new Float64Array(rows))
    this.partitions = grown(this.partitions, new Uint32Array(rows))
    this.offsets = grown(this.offsets, new Float64Array(rows))
  }
}

/** Labels of any actors and versions, by these. */
export class Labels implements Iterable<At<Label>> {
  readonly byVersion: LabelColumns[] = []
  #last: LabelColumns | undefined

  /** @param labels returned as they are if they are such already */
  static of(labels: Iterable<At<Label>>): Labels {
    if (labels instanceof Labels) return labels
    const all = new Labels()
    for (const label of labels) all.add(label)
    return all
  }

  add(label: At<Label>): void {
    const { actor, version } = label.value
    const last = this.#last
    // Labels of one actor and version mostly come one after the other, so names are compared and not joined to keys.
    if (last !== undefined && last.actor === actor && last.version === version) last.add(label)
    else {
      this.#last = this.#of(actor, version)
      this.#last.add(label)
    }
  }

  *[Symbol.iterator](): Iterator<At<Label>> {
    for (const columns of this.byVersion) yield* columns
  }

  #of(actor: string, version: string): LabelColumns {
    const known = this.byVersion.find((columns) => columns.actor === actor && columns.version === version)
    if (known !== undefined) return known
    const columns = new LabelColumns(actor, version)
    this.byVersion.push(columns)
    return columns
  }
}
