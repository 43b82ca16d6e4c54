import { topics } from '../../schemas/index.ts'
import { ContaminationFilter } from '../../topologies/decontamination/filter.ts'
import { EvalSets } from '../../topologies/decontamination/sets.ts'
import type { Runtime } from '../connections/connections.ts'
import { readable } from '../runtime/codec.ts'

type Ports = Pick<Runtime, 'kafka' | 'codec'>

const { name: topic } = topics.evalSets

/** The evaluation sets that are recorded now; a cluster of before there were any has none. */
export async function readEvalSets({ kafka, codec }: Ports): Promise<EvalSets> {
  const sets = new EvalSets()
  if (!(await kafka.topicNames()).includes(topic)) return sets
  for await (const records of kafka.read(topic)) {
    for (const { value } of records) {
      const decoded = value === null ? undefined : await readable(() => codec.decode(value))
      if (decoded !== undefined) sets.apply(decoded.record, decoded.value)
    }
  }
  return sets
}

/** Reads them again only where something was recorded since. */
export class FollowedEvalSets {
  readonly #ports: Ports
  #known: { readonly end: number; readonly sets: EvalSets } = { end: 0, sets: new EvalSets() }

  constructor(ports: Ports) {
    this.#ports = ports
  }

  async now(): Promise<EvalSets> {
    const { kafka } = this.#ports
    if (!(await kafka.topicNames()).includes(topic)) return this.#known.sets
    const [end = 0] = await kafka.endOffsets(topic)
    if (end !== this.#known.end) this.#known = { end, sets: await readEvalSets(this.#ports) }
    return this.#known.sets
  }
}

export const filterOf = (sets: EvalSets): ContaminationFilter => new ContaminationFilter(sets.texts)
