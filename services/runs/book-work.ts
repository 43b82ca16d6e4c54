import { runTopics, topics, Work } from '../../schemas/index.ts'
import { flopsOf, type ModelCost, workKey } from '../../topologies/ledger/pieces.ts'
import type { Runtime } from '../connections/connections.ts'

/** Work that was done elsewhere: annotation, proxies, fits, a trainer of one's own. */
export interface OutsideWork extends Omit<ModelCost, 'flopsPerToken' | 'flopsPerDocument'> {
  /** Its identity: the same name again replaces it. */
  readonly name: string
  /** null: for all runs. */
  readonly run: string | null
  readonly purpose: Work['purpose']
  readonly subject: string
  readonly documents: number
  readonly tokens: number
  /** Left out: factor * parameters * tokens. */
  readonly flops?: number | undefined
  readonly seconds: number
}

/** Books work that was done elsewhere. */
export async function bookOutsideWork(
  { kafka, codec }: Pick<Runtime, 'kafka' | 'codec'>,
  { name, flops, ...outside }: OutsideWork,
): Promise<Work> {
  const place = { stream: `booked as ${name}`, partition: 0, first: 0, next: 1 }
  const work: Work = { ...outside, ...place, flops: flops ?? flopsOf(outside, outside) }
  await using opened = new AsyncDisposableStack()
  const producer = opened.adopt(await kafka.producer(), (one) => one.close())
  const topic = outside.run === null ? topics.work.name : runTopics(outside.run).work.name
  await producer.send([{ topic, key: workKey(work), value: codec.encode(Work, work) }])
  return work
}
