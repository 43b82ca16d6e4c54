import type { Addresses } from '../../../services/connections/connections.ts'

/** What console.ts is asked to do. */
export interface RoundOptions {
  readonly addresses: Addresses
  readonly documents: number
  readonly selected: number
  /** wide: as it was before a table was sorted for drawing. */
  readonly tables: 'sorted' | 'wide'
  /** Left out: ids are read and thrown away. compared: kafkajs alone then writes the same bytes. */
  readonly topic?: 'written' | 'compared'
  readonly turns: number
}

/** Seconds of each step. */
export interface Round {
  histogram: number
  samples: number
  decide: number
  /** Until ClickHouse has given the first ids, and all. */
  firstIds?: number
  ids?: number
  /** Until the first chunk was in the topic, and the manifest. */
  firstChunk?: number
  emission?: number
  kafkajsAlone?: number
  /** Of the ids in emission order. */
  digest: string
  /** What was scored by. */
  theta: number[]
  weights: number[][]
  /** The console's largest resident size. */
  megabytes: number
}

export async function timed<T>(work: () => Promise<T>): Promise<[seconds: number, result: T]> {
  const began = performance.now()
  const result = await work()
  return [(performance.now() - began) / 1000, result]
}
