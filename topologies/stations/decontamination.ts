import { type Document, Exclusion, topics } from '../../schemas/index.ts'
import type { ContaminationFilter } from '../decontamination/filter.ts'
import { listOf } from '../decontamination/sets.ts'
import type { Delivered, Outgoing, Output, Processor } from '../node.ts'

/** What documents are compared with. */
export interface Contaminants {
  readonly filter: Pick<ContaminationFilter, 'match'>
  readonly now: () => number
}

/** Documents in, exclusions out of those that contain an item of an evaluation set. Stateless: a repeated document is excluded again, by the same lists. */
export class Decontamination implements Processor {
  readonly #contaminants: Contaminants
  readonly #output: Output

  constructor(contaminants: Contaminants, output: Output) {
    this.#contaminants = contaminants
    this.#output = output
  }

  async process(batch: readonly Delivered[]): Promise<void> {
    const { filter, now } = this.#contaminants
    const exclusions: Outgoing[] = []
    for (const { value, partition } of batch as readonly Delivered<Document>[]) {
      for (const { set, ...contained } of filter.match(value.text)) {
        const exclusion: Exclusion = {
          ...{ docId: value.docId, list: listOf(set), reason: 'contamination', excluded: true },
          ...{ by: 'decontamination', recordedMs: now(), contained },
        }
        const key = value.docId.toString()
        exclusions.push({ topic: topics.exclusions.name, record: Exclusion, key, value: exclusion, partition })
      }
    }
    if (exclusions.length > 0) await this.#output.send(exclusions)
  }
}
